import type { JsonObject } from '../../../model/json.js';
import { bytesOfNumber } from '../tables.js';
import type { Changes } from '../draft.js';
import { entriesOf } from './entries.js';

/** A live record, as far as its entries go. */
export interface Indexed {
  createdMs: number;
  metadata: JsonObject;
}

/** Plans what a change of a record changes in one index. Entries hold when the endpoint was created. O(size of the values). */
export function changeEntries(
  changes: Changes,
  index: { number: number; key: string },
  endpointId: string,
  old: Indexed | undefined,
  next: Indexed | undefined,
): void {
  const id = Buffer.from(endpointId);
  const before = namesOf(index, id, old);
  const after = namesOf(index, id, next);
  const stays = old?.createdMs === next?.createdMs;
  for (const [name, entry] of before) if (!after.has(name)) changes.remove('values', entry);
  if (next === undefined) return;
  for (const [name, entry] of after)
    if (!stays || !before.has(name)) changes.put('values', entry, bytesOfNumber(next.createdMs));
}

function namesOf(
  { number, key }: { number: number; key: string },
  id: Buffer,
  record: Indexed | undefined,
): Map<string, Buffer> {
  if (record === undefined || !Object.hasOwn(record.metadata, key)) return new Map();
  return new Map(
    entriesOf(number, record.metadata[key], id).map((entry) => [entry.toString('latin1'), entry]),
  );
}
