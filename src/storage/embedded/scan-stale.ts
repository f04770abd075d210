import type { PagePlace } from '../port.js';
import { createPacer } from './pacer.js';
import { newestFirst } from './places.js';
import { walkOf } from './scope-walk.js';
import type { Tables, View } from './tables.js';

/**
 * Records of an application that were evaluated with an older filter set, newest first. O(records passed over).
 *
 * @param after what was answered as `next`: the place of the last record
 */
export async function scanStaleRecords(
  tables: Tables,
  view: View,
  query: { application: string; filterSet: number; limit: number; after?: string },
): Promise<{ records: Uint8Array[]; next?: string }> {
  const pacer = createPacer();
  const records: Uint8Array[] = [];
  const walk = walkOf(tables, view, { application: query.application });
  let next: string | undefined;
  for (const place of walk ? newestFirst(tables, view, walk.list, parsePlace(query.after)) : []) {
    if (pacer.isDue()) await pacer.pause();
    const record = tables.records.getBinaryFast(place.endpointId, { transaction: view });
    if (record === undefined || record.readUInt32LE(4) >= query.filterSet) continue;
    if (records.length === query.limit) return next === undefined ? { records } : { records, next };
    records.push(new Uint8Array(record.subarray(0, record.length)));
    next = `${place.createdMs}/${place.endpointId}`;
  }
  return { records };
}

function parsePlace(text: string | undefined): PagePlace | undefined {
  if (text === undefined) return undefined;
  const slash = text.indexOf('/');
  return { createdMs: Number(text.slice(0, slash)), endpointId: text.slice(slash + 1) };
}
