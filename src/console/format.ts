import type { JsonValue } from './api-types.js';

/** `12,345`; below 10 with one decimal when it is not whole. */
export function formatNumber(value: number): string {
  const whole = Number.isInteger(value) || Math.abs(value) >= 10;
  return value.toLocaleString('en', { maximumFractionDigits: whole ? 0 : 1 });
}

/** `3 endpoints`, `1 endpoint`. */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** A share, 0 to 1, as a percentage; what is little but not nothing is not shown as 0%. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1%';
  if (percent < 100 && percent > 99.9) return '> 99.9%';
  return `${percent.toLocaleString('en', { maximumFractionDigits: 1 })}%`;
}

/** `2026-03-17 11:30:02`, in the time zone of the reader. */
export function formatTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${formatClock(date)}`;
}

/** `2026-03-17 10:30:02.643 UTC`. */
export function formatUtc(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', ' UTC');
}

export function formatClock(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const AGES: readonly [seconds: number, unit: string][] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
];

/** Some time to come, in one unit. */
export function formatSpan(seconds: number): string {
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** `5 min ago`. A clock that is ahead of ours is no future. */
export function formatAge(thenMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - thenMs) / 1000);
  for (const [size, unit] of AGES)
    if (seconds >= size) return `${formatNumber(Math.floor(seconds / size))} ${unit} ago`;
  return seconds < 5 ? 'just now' : `${seconds} s ago`;
}

/** JSON in one line, cut after `limit` characters: never through a surrogate pair. */
export function formatValue(value: JsonValue | undefined, limit = 120): string {
  return value === undefined ? '' : cut(JSON.stringify(value), limit);
}

/** As {@link formatValue}, but text without its quotes: for tables to be looked over, where none is edited. */
export function formatCell(value: JsonValue, limit = 60): string {
  return typeof value === 'string' ? cut(value, limit) : formatValue(value, limit);
}

export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const high = text.charCodeAt(limit - 1);
  return `${text.slice(0, high >= 0xd800 && high <= 0xdbff ? limit - 1 : limit)}…`;
}

const LINE_CHARACTERS = 64;

/** JSON to be read and written by people: indented, but what fits into a line stands in one. */
export function formatJson(value: JsonValue, indent = ''): string {
  const line = inLine(value);
  if (typeof value !== 'object' || value === null || indent.length + line.length <= LINE_CHARACTERS)
    return line;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const lines = value.map((each) => deeper + formatJson(each, deeper));
    return lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n${indent}]`;
  }
  const lines = Object.entries(value).map(
    ([name, each]) => `${deeper}${JSON.stringify(name)}: ${formatJson(each, deeper)}`,
  );
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${indent}}`;
}

function inLine(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inLine).join(', ')}]`;
  const members = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${inLine(each)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

/** Of an application or a version. */
export function formatName({ name, deleted }: { name: string; deleted?: true }): string {
  return deleted === true ? `${name} (deleted)` : name;
}
