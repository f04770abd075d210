import { ABSENT, encodeRecord } from '../../src/model/record.js';
import { openStore, type RecordWrite } from '../../src/storage/index.js';
import { APPLICATION, type Station, VERSIONS } from '../fleet.js';

const AT_ONCE = 2000;
/** Ten endpoints a second, the last one now. */
const APART_MS = 100;

/**
 * Fills an empty embedded store with `count` registered endpoints, past the register: a million would take it minutes. The
 * fleet is there under its own ids; what is beyond it are copies of it under others.
 */
export async function fillStore(folder: string, fleet: readonly Station[], count: number): Promise<void> {
  const store = await openStore({ url: `file:${folder}`, durability: 'async' });
  const texts = fleet.map(({ metadata }) => JSON.stringify(metadata));
  const beganMs = Date.now() - count * APART_MS;
  for (let i = 0; i < count; i += AT_ONCE) {
    const writes: RecordWrite[] = [];
    for (let k = i; k < Math.min(count, i + AT_ONCE); k++) {
      const createdMs = beganMs + k * APART_MS;
      const copy = Math.floor(k / fleet.length);
      const { endpointId: own } = fleet[k % fleet.length]!;
      const endpointId = copy === 0 ? own : `${own}.${copy}`;
      const record = encodeRecord({
        revision: 1,
        filterSet: 0,
        createdMs,
        metadataRevision: 1,
        metadataUpdatedMs: createdMs,
        head: {
          endpointId,
          tenant: TENANT,
          application: APPLICATION,
          version: VERSIONS[0],
          versionSinceMs: createdMs,
          tokenHash: k.toString(16).padStart(64, '0'),
        },
        metadataText: texts[k % fleet.length]!,
      });
      writes.push({ endpointId, expected: ABSENT, record, moved: true, matched: [], unmatched: [] });
    }
    await store.commit(writes);
  }
  await store.close();
}

/** that of an application whose settings name none */
const TENANT = 'kaa';
