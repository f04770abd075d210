import { fit, printable } from '../text.js';

/** An event as the live stream sends it: named by its kind, fields as in messaging. */
export interface LiveEvent {
  kind: string;
  fields: Record<string, unknown>;
}

const VALUE_LENGTH = 60;

/** One readable line: time, kind, whose, and what changed. */
export function eventLine({ kind, fields }: LiveEvent): string {
  const timestamp = fields['timestamp'];
  const time = typeof timestamp === 'number' ? clock(new Date(timestamp)) : clock(new Date());
  const who = text(fields['endpointId']) ?? text(fields['filterName']) ?? text(fields['filterId']) ?? '';
  return printable([time, kind.padEnd(18), who.padEnd(14), whatChanged(kind, fields)].join('  ')).trimEnd();
}

function whatChanged(kind: string, fields: Record<string, unknown>): string {
  switch (kind) {
    case 'metadata-updated':
      return describeDiff(fields);
    case 'appversion-updated':
      return `${text(fields['previousAppVersionName']) ?? '?'} -> ${text(fields['appVersionName']) ?? '?'}`;
    case 'registered':
    case 'unregistered':
      return text(fields['appVersionName']) ?? '';
    case 'ep-matched':
    case 'ep-unmatched':
      return text(fields['filterName']) ?? text(fields['filterId']) ?? '';
    case 'relations-updated':
      return Array.isArray(fields['endpointIds']) ? fields['endpointIds'].join(', ') : '';
    default:
      return text(fields['applicationName']) ?? '';
  }
}

/** `temp 4 -> 5, +city "Kyiv", -old (was 3)` */
function describeDiff(fields: Record<string, unknown>): string {
  const parts: string[] = [];
  for (const [key, change] of entries(fields['updated'])) {
    const { oldValue, newValue } = (change ?? {}) as { oldValue?: unknown; newValue?: unknown };
    parts.push(`${key} ${shown(oldValue)} -> ${shown(newValue)}`);
  }
  for (const [key, value] of entries(fields['added'])) parts.push(`+${key} ${shown(value)}`);
  for (const [key, value] of entries(fields['removed'])) parts.push(`-${key} (was ${shown(value)})`);
  return parts.join(', ');
}

/** Values are JSON text, and null stands for JSON null. */
function shown(value: unknown): string {
  return fit(
    value === null || value === undefined
      ? 'null'
      : typeof value === 'string'
        ? value
        : JSON.stringify(value),
    VALUE_LENGTH,
  );
}

function entries(map: unknown): [string, unknown][] {
  return typeof map === 'object' && map !== null ? Object.entries(map) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function clock(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
