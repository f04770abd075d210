import { InvalidArgumentError } from 'commander';

/** Parses `--set key=value`; repeated ones add up, the last of a key counts. */
export function collectSetting(text: string, former: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It has the form key=value, such as server.port=9000.');
  return { ...former, [text.slice(0, at)]: text.slice(at + 1) };
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('A port is a whole number from 0 to 65535 (0: any free one).');
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) throw new InvalidArgumentError('It is a whole number, 1 or more.');
  return count;
}

/** `500`, `500/s`: items a second. */
export function parseRate(text: string): number {
  const rate = Number(text.replace(/\/s$/, ''));
  if (!(rate > 0) || !Number.isFinite(rate))
    throw new InvalidArgumentError('A rate is a number of lines a second, such as 500 or 500/s.');
  return rate;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * UNITS_MS[unit]!;
}

/** `500ms`, `60s`, `5m`, `1h`, `2d`, to milliseconds. */
export function parseDuration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('A duration has a unit: 500ms, 60s, 5m, 1h, 2d.');
  return ms;
}

/** `2026-11-22T10:00:00Z`, or an age such as `90m`, to Unix ms. */
export function parseSince(text: string): number {
  const ageMs = durationMs(text);
  if (ageMs === 0)
    throw new InvalidArgumentError(
      'Of an age of nothing there are no events; give the age of the oldest that are missing: 90m, 6h, 1d.',
    );
  // before all time there is nothing that could be meant
  if (ageMs !== undefined) return Math.max(0, Date.now() - ageMs);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isTime ? Date.parse(text) : NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError(
      'It is a time with its zone, such as 2026-11-22T10:00:00Z, or an age: 90m, 6h, 1d.',
    );
  const nowMs = Date.now();
  if (ms > nowMs)
    throw new InvalidArgumentError(
      `It is in the future (now it is ${new Date(nowMs).toISOString()}); give the time from which on events are missing.`,
    );
  return ms;
}

export function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidArgumentError('It is the address of a register, such as http://127.0.0.1:8080.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new InvalidArgumentError('It begins with http:// or https://.');
  return url;
}
