const FLOAT = new Float64Array(1);
const BITS = new BigInt64Array(FLOAT.buffer);

/** The next greater double (IEEE 754, nextUp): `v > x` is `v >= nextNumber(x)`. Of the greatest it is infinity. */
export function nextNumber(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  FLOAT[0] = x;
  BITS[0] += x > 0 ? 1n : -1n;
  return FLOAT[0]!;
}

/** The next greater text in the order of UTF-8 bytes. */
export function nextText(x: string): string {
  return `${x}\0`;
}
