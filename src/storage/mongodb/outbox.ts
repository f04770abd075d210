import type { Collection, Condition, ReadConcernLevel } from 'mongodb';
import type { OutboxEntry, OutboxPosition } from '../port.js';
import type { ClearedEntries } from './cleared-entries.js';
import { entryField, type GuardedDocument, orderOfField } from './documents.js';

type Source = Collection<GuardedDocument>;

const BATCH = 500;

interface OutboxPage {
  limit: number;
  maxBytes: number;
}

/**
 * Entries by source, ascending, and within one by order: a walk from the start to the end meets each, whatever is written
 * or cleared meanwhile, and goes along an index that holds only sources with entries. What a majority has not got yet is not seen.
 */
export async function readOutbox(
  collections: readonly Source[],
  settledReads: ReadConcernLevel,
  cleared: ClearedEntries,
  page: OutboxPage,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  const reading = cleared.hide();
  try {
    return await readPage(collections, settledReads, reading.hides, page, after);
  } finally {
    reading.end();
  }
}

/** The same with those that were cleared and are not out of the database yet. */
export function readStoredOutbox(
  collections: readonly Source[],
  settledReads: ReadConcernLevel,
  page: OutboxPage,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  return readPage(collections, settledReads, () => false, page, after);
}

async function readPage(
  collections: readonly Source[],
  settledReads: ReadConcernLevel,
  hides: (source: string, order: number) => boolean,
  page: OutboxPage,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  const found = await Promise.all(
    collections.map((source) => readSource(source, settledReads, hides, page, after)),
  );
  const entries = found.flat();
  // Each is in order already; endpoints and filters are merged by source.
  entries.sort(({ position: a }, { position: b }) =>
    a.source < b.source ? -1 : a.source > b.source ? 1 : a.order - b.order,
  );
  return cut(entries, page);
}

/** All of some sources, each source's in its order. */
export async function readOutboxOf(
  collections: readonly Source[],
  level: ReadConcernLevel,
  cleared: ClearedEntries,
  sources: readonly string[],
): Promise<OutboxEntry[]> {
  const reading = cleared.hide();
  const all: OutboxPage = { limit: Infinity, maxBytes: Infinity };
  const due = { $in: [...sources] };
  try {
    const found = await Promise.all(
      collections.map((source) => readDue(source, level, reading.hides, all, due)),
    );
    return found.flat();
  } finally {
    reading.end();
  }
}

async function readSource(
  collection: Source,
  level: ReadConcernLevel,
  hides: (source: string, order: number) => boolean,
  page: OutboxPage,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  const due = after === undefined ? { $gt: '' } : { $gte: after.source };
  return readDue(collection, level, hides, page, due, after);
}

async function readDue(
  collection: Source,
  level: ReadConcernLevel,
  hides: (source: string, order: number) => boolean,
  page: OutboxPage,
  due: Condition<string>,
  after?: OutboxPosition,
): Promise<OutboxEntry[]> {
  const entries: OutboxEntry[] = [];
  let bytes = 0;
  const cursor = collection
    .find({ due }, { readConcern: { level } })
    .project<Pick<GuardedDocument, '_id' | 'unpublished'>>({ unpublished: 1 })
    .sort({ due: 1 })
    .batchSize(Math.min(page.limit, BATCH));
  try {
    for await (const { _id: source, unpublished = {} } of cursor) {
      const orders = Object.keys(unpublished)
        .map(orderOfField)
        .sort((a, b) => a - b);
      for (const order of orders) {
        if (after !== undefined && source === after.source && order <= after.order) continue;
        if (hides(source, order)) continue;
        const events = unpublished[entryField(order)]!;
        entries.push({ position: { source, order }, events });
        bytes += events.length;
      }
      if (entries.length >= page.limit || bytes >= page.maxBytes) break;
    }
  } finally {
    await cursor.close();
  }
  return cut(entries, page);
}

/** What of the first entries fits on a page. */
function cut(entries: readonly OutboxEntry[], { limit, maxBytes }: OutboxPage): OutboxEntry[] {
  let bytes = 0;
  let count = 0;
  while (count < Math.min(limit, entries.length) && bytes < maxBytes)
    bytes += entries[count++]!.events.length;
  return entries.slice(0, count);
}

/**
 * Takes out exactly these entries by a write of their own, not all up to them: another replica may still have to publish an
 * earlier one. Unknown ones are ignored. In steps, so that no command runs long; what is done is told.
 */
export async function clearOutbox(
  collections: readonly Source[],
  entries: ReadonlyMap<string, readonly number[]>,
  removed: (source: string, orders: readonly number[]) => void,
): Promise<void> {
  const sources = [...entries];
  for (let at = 0; at < sources.length; at += BATCH) {
    const step = sources.slice(at, at + BATCH);
    // the same order as a commit's: servers that lock rows know no deadlock then
    step.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const collection of collections) {
      if ((await clearSources(collection, step)) === step.length) break;
    }
    for (const [source, orders] of step) removed(source, orders);
  }
}

/** @returns how many of these sources it had */
async function clearSources(
  collection: Source,
  sources: readonly (readonly [string, readonly number[]])[],
): Promise<number> {
  const { matchedCount } = await collection.bulkWrite(
    sources.map(([source, orders]) => ({
      updateOne: {
        filter: { _id: source, due: source },
        update: {
          $unset: Object.fromEntries(orders.map((order) => [`unpublished.${entryField(order)}`, ''])),
        },
      },
    })),
    { ordered: false },
  );
  // one by one, in order, as above; one for many would take them in an order of the server's
  if (matchedCount > 0)
    await collection.bulkWrite(
      sources.map(([source]) => ({
        updateOne: { filter: { _id: source, unpublished: {} }, update: { $unset: { due: '' } } },
      })),
      { ordered: false },
    );
  return matchedCount;
}

/** What a crash between the two steps of a clearing left: marked as due, with nothing to publish. */
export async function unmarkEmpty(collections: readonly Source[]): Promise<void> {
  for (const collection of collections)
    await collection.updateMany({ due: { $gt: '' }, unpublished: {} }, { $unset: { due: '' } });
}
