import { headOf, isTombstone } from '../../model/record.js';
import type { Outbox } from './outbox.js';
import type { Part, Tables, View } from './tables.js';

/**
 * Forgets up to `limit` tombstones of endpoints that were unregistered before a date and whose events are all
 * published; inside of a write transaction. Answers how many.
 */
export function purgeTombstones(
  tables: Tables,
  outbox: Outbox,
  deletedBeforeMs: number,
  limit: number,
): number {
  const unpublished = outbox.first() ?? Infinity;
  const keys: Part[][] = [];
  for (const { key, value } of tables.tombstones.getRange({ end: [deletedBeforeMs], limit })) {
    // Entries are in the order of their commits: when all up to the unregistration's are gone, the endpoint has none.
    if (value.readDoubleLE(0) >= unpublished) break;
    keys.push(key as Part[]);
  }
  for (const key of keys) {
    const [deletedMs, id] = key as [number, string];
    tables.tombstones.remove(key);
    const record = tables.records.getBinary(id);
    if (record && isTombstone(record) && headOf(record).deletedMs === deletedMs) tables.records.remove(id);
  }
  return keys.length;
}

/** The longest unregistered first. O(log n + limit). */
export function scanTombstones(
  tables: Tables,
  view: View,
  limit: number,
  after: string | undefined,
): { records: Uint8Array[]; next?: string } {
  const from = after === undefined ? {} : { start: JSON.parse(after) as Part[], exclusiveStart: true };
  const keys = Array.from(tables.tombstones.getKeys({ ...from, limit, transaction: view }));
  const records = keys.flatMap((key) => {
    const record = tables.records.getBinary((key as Part[])[1]!, { transaction: view });
    return record && isTombstone(record) ? [record] : [];
  });
  return keys.length < limit ? { records } : { records, next: JSON.stringify(keys.at(-1)) };
}
