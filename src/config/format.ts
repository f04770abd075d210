/** What `epr config` prints. */
import type { ConfigEntry } from './types.js';

/**
 * The settings in force with where each came from; secrets masked. Plain: aligned lines, `key  value  # source`.
 * JSON: an array of `{key, value, source, where?}`, numbers and booleans as such, durations and sizes with their
 * units, lists as arrays, null for what is not set.
 */
export function formatConfig(
  entries: readonly ConfigEntry[],
  { json = false }: { json?: boolean } = {},
): string {
  if (json) {
    const rows = entries.map(({ key, value, shown, source, where }) => ({
      key,
      value: jsonValue(value, shown),
      source,
      ...(where === undefined ? {} : { where }),
    }));
    return `${JSON.stringify(rows, null, 2)}\n`;
  }
  const width = (of: (entry: ConfigEntry) => string, most: number): number =>
    Math.min(most, Math.max(0, ...entries.map((entry) => of(entry).length)));
  const keyWidth = width(({ key }) => key, 60);
  const valueWidth = width(plainValue, 40);
  return entries
    .map((entry) => {
      const from = entry.where === undefined ? entry.source : `${entry.source}, ${entry.where}`;
      return `${entry.key.padEnd(keyWidth)}  ${plainValue(entry).padEnd(valueWidth)}  # ${from}\n`;
    })
    .join('');
}

function plainValue({ value, shown }: ConfigEntry): string {
  // Control characters would disturb a terminal.
  return value === undefined
    ? '(not set)'
    : shown.replace(/\p{Cc}/gu, (each) => JSON.stringify(each).slice(1, -1));
}

function jsonValue(value: unknown, shown: string): unknown {
  if (value === undefined) return null;
  if (Array.isArray(value)) return JSON.parse(shown);
  return (typeof value === 'number' || typeof value === 'boolean') && `${value}` === shown ? value : shown;
}
