import { bufferOf } from '../../model/bytes.js';
import type { StalePage } from '../port.js';
import { createPacer } from './pacer.js';
import { byIdIn } from './places.js';
import { isKey, type Tables, type View } from './tables.js';

/** Bytes of the records of one page, but for the last of them. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Records of an application that were evaluated with an older filter set. O(records passed over). By id, as they stand in
 * their table: those that are read together are on the same pages, and so are those that are written because of it.
 */
export async function scanStaleRecords(
  tables: Tables,
  view: View,
  query: { application: string; filterSet: number; limit: number; after: string | undefined },
): Promise<StalePage> {
  const { application, filterSet, limit, after } = query;
  const pacer = createPacer();
  const records: Uint8Array[] = [];
  let bytes = 0;
  let passed = 0;
  let last = after;
  if (!isKey(application)) return { records, passed };
  for (const { endpointId } of byIdIn(tables, view, application, 'asc', after)) {
    if (pacer.isDue()) await pacer.pause();
    if (records.length === limit || bytes >= MOST_BYTES) return { records, passed, next: last! };
    passed++;
    last = endpointId;
    const record = tables.records.getBinaryFast(endpointId, { transaction: view });
    if (record === undefined || bufferOf(record).readUInt32LE(4) >= filterSet) continue;
    const { length } = record;
    const copy = Buffer.allocUnsafe(length);
    // LMDB's buffer is longer than the value
    copy.set(new Uint8Array(record.buffer, record.byteOffset, length));
    records.push(copy);
    bytes += length;
  }
  return { records, passed };
}
