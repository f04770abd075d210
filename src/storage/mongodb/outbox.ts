import type { Collection, ReadConcernLevel } from 'mongodb';
import type { OutboxEntry, OutboxPosition } from '../port.js';
import type { GuardedDocument, OutboxItem } from './documents.js';

type Source = Collection<GuardedDocument>;

const BATCH = 500;

/**
 * Entries by source, ascending, and within one by order: a walk from the start to the end meets each, whatever is written
 * or cleared meanwhile, and goes along an index that holds only sources with entries. What a majority has not got yet is not seen.
 */
export async function readOutbox(
  collections: readonly Source[],
  settledReads: ReadConcernLevel,
  limit: number,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  const found = await Promise.all(
    collections.map((source) => readSource(source, settledReads, limit, after)),
  );
  const entries = found.flat();
  // Each is in order already; endpoints and filters are merged by source.
  entries.sort(({ position: a }, { position: b }) =>
    a.source < b.source ? -1 : a.source > b.source ? 1 : a.order - b.order,
  );
  return entries.slice(0, limit);
}

async function readSource(
  collection: Source,
  level: ReadConcernLevel,
  limit: number,
  after: OutboxPosition | undefined,
): Promise<OutboxEntry[]> {
  const entries: OutboxEntry[] = [];
  const cursor = collection
    .find({ due: after === undefined ? { $gt: '' } : { $gte: after.source } }, { readConcern: { level } })
    .project<{ _id: string; outbox?: OutboxItem[] }>({ outbox: 1 })
    .sort({ due: 1 })
    .batchSize(Math.min(limit, BATCH));
  try {
    for await (const { _id: source, outbox = [] } of cursor) {
      for (const { order, events } of outbox) {
        if (after !== undefined && source === after.source && order <= after.order) continue;
        entries.push({ position: { source, order }, events });
      }
      if (entries.length >= limit) break;
    }
  } finally {
    await cursor.close();
  }
  return entries.slice(0, limit);
}

/**
 * Takes out exactly these entries, not all up to them: another replica may still have to publish an earlier one.
 * One bulk when all that a source has is cleared, as is the rule; a second one for sources that got more meanwhile.
 */
export async function clearOutbox(
  collections: readonly Source[],
  positions: readonly OutboxPosition[],
): Promise<void> {
  const orders = new Map<string, number[]>();
  for (const { source, order } of positions) {
    const known = orders.get(source);
    if (known === undefined) orders.set(source, [order]);
    else known.push(order);
  }
  for (const collection of collections) {
    if (orders.size === 0) return;
    await clearSources(collection, orders);
  }
}

/** Removes from `orders` the sources that it need not look for elsewhere, when it knows that. */
async function clearSources(collection: Source, orders: Map<string, number[]>): Promise<void> {
  const emptied = await collection.bulkWrite(
    [...orders].map(([source, cleared]) => ({
      updateOne: {
        filter: { _id: source, due: source, outbox: { $not: { $elemMatch: { order: { $nin: cleared } } } } },
        update: { $set: { outbox: [] }, $unset: { due: '' } },
      },
    })),
    { ordered: false },
  );
  if (emptied.matchedCount === orders.size) {
    orders.clear();
    return;
  }
  const left = await collection
    .find({ _id: { $in: [...orders.keys()] }, due: { $exists: true } })
    .project<{ _id: string }>({ _id: 1 })
    .toArray();
  if (left.length === 0) return;
  await collection.bulkWrite(
    left.map(({ _id }) => ({
      updateOne: { filter: { _id }, update: { $pull: { outbox: { order: { $in: orders.get(_id)! } } } } },
    })),
    { ordered: false },
  );
  for (const { _id } of left) orders.delete(_id);
}
