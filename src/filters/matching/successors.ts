const VIEW = new DataView(new ArrayBuffer(8));

/** The next greater double (IEEE 754, nextUp): `v > x` is `v >= nextNumber(x)`. Of the greatest it is infinity. */
export function nextNumber(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  VIEW.setFloat64(0, x);
  VIEW.setBigInt64(0, VIEW.getBigInt64(0) + (x > 0 ? 1n : -1n));
  return VIEW.getFloat64(0);
}

/** The next greater text in the order of UTF-8 bytes. */
export function nextText(x: string): string {
  return `${x}\0`;
}
