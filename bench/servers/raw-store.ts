import { childArgument, serveParent } from '../children.js';
import { KEY, readFleet, readObservations } from '../fleet.js';
import { createFleetStore, encodeStation } from './fleet-store.js';

/**
 * The ceiling of metadata updates: the records that come of the observations, made beforehand, put into LMDB a thousand to a
 * transaction with fsync. Nothing is read, parsed or computed but the number of the revision.
 */
const BATCH = 1000;
const BATCHES_IN_FLIGHT = 2;
const REVISION_AT = 8;

const { folder, endpoints } = childArgument<{ folder: string; endpoints: number }>();
const { db } = await createFleetStore(folder, endpoints);

const metadata = new Map(readFleet(endpoints).map((station) => [station.endpointId, station.metadata]));
const records = readObservations().flatMap(({ endpointId, set }) => {
  const known = metadata.get(endpointId);
  if (known === undefined) return [];
  Object.assign(known, set);
  const text = JSON.stringify({ ...known, [KEY]: Number(`${Number(known[KEY] ?? 0).toFixed(1)}000001`) });
  return [{ endpointId, record: encodeStation(endpointId, text) }];
});
let at = 0;
let revision = 1;

function putBatch(): Promise<boolean> {
  let flushed: Promise<boolean> | undefined;
  for (let i = 0; i < BATCH; i++, at = (at + 1) % records.length) {
    const { endpointId, record } = records[at]!;
    record.writeDoubleLE(++revision, REVISION_AT);
    flushed = db.put(endpointId, record);
    last.set(endpointId, revision);
  }
  return flushed!;
}

/** Revision of the last write of each endpoint. */
const last = new Map<string, number>();

async function run(seconds: number): Promise<{ lines: number; seconds: number }> {
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1000;
  let lines = 0;
  const write = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      await putBatch();
      lines += BATCH;
    }
  };
  await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, write));
  return { lines, seconds: (performance.now() - startMs) / 1000 };
}

async function revisions(): Promise<Map<string, number>> {
  return last;
}

serveParent({}, { run, revisions });
