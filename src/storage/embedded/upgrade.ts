import type { RootDatabase } from 'lmdb';
import { createdOf, headOf, isTombstone, metadataOf } from '../../model/record.js';
import { directChanges } from './draft.js';
import { KeyCountChanges } from './key-counts.js';
import { bytesOfNumber, idsOf, type Tables } from './tables.js';

/** Records of one transaction. */
const STEP = 2000;

/**
 * Builds what data of format 1 lacks: how many records have each metadata key, and an application's records by id. O(records). Begins anew when it is
 * repeated, as after a crash: the caller notes the new format after it.
 */
export async function upgradeFrom1(env: RootDatabase, tables: Tables): Promise<void> {
  const changes = directChanges(tables);
  await env.transaction(() => {
    for (const key of [...tables.keyCounts.getKeys({})]) void tables.keyCounts.remove(key);
  });
  let after: string | undefined;
  do {
    const from = after === undefined ? {} : { start: after, exclusiveStart: true };
    const records = [...tables.records.getRange({ ...from, limit: STEP })];
    after = records.length < STEP ? undefined : (records.at(-1)!.key as string);
    const counts = new KeyCountChanges();
    await env.transaction(() => {
      for (const { key, value } of records) {
        if (isTombstone(value)) continue;
        const { application, version } = headOf(value);
        counts.add(application, version, Object.keys(metadataOf(value)), 1);
        changes.put('lists', [...idsOf(application), key as string], bytesOfNumber(createdOf(value)));
      }
      counts.write(changes);
    });
  } while (after !== undefined);
}
