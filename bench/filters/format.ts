/** MB of a million bytes. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en-US')} MB`;
}

/** A time that is given in microseconds, with three digits: `8.31 µs`, `412 µs`, `1.24 s`. */
export function micros(value: number): string {
  if (value >= 1e6) return `${digits(value / 1e6)} s`;
  if (value >= 1e3) return `${digits(value / 1e3)} ms`;
  return `${digits(value)} µs`;
}

/** Ten to this power, in microseconds: `10 µs`, `1 ms`. */
export function decadeOfMicros(power: number): string {
  return micros(10 ** power).replace(/\.0+ /, ' ');
}

function digits(value: number): string {
  return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}
