import type { Collection, Document, FindCursor, Sort } from 'mongodb';
import { createdOf } from '../../model/record.js';
import type { PagePlace, RecordQuery } from '../port.js';
import type { EndpointDocument } from './documents.js';

type Endpoints = Collection<EndpointDocument>;
type Found = Pick<EndpointDocument, '_id' | 'record'>;

/** A query that takes longer is ended by the server: a pattern of a caller must not keep it busy for ever. */
export const MAX_TIME_MS = 60_000;

/** Documents of one date that are turned around here; more are asked for anew, in the right order. */
const TURN = 256;

export interface Extent {
  /** how many are passed over */
  skip: number;
  /** no more are wanted */
  most?: number;
  /** documents that the server sends at once */
  batch?: number;
}

/**
 * The documents that fit, in the order of a query, from right after its place; each step of it goes along an index whose
 * fields before the sort are those of the scope.
 *
 * The oldest first is the one order that no index has: ties of the date are by id, ascending, in both directions, and an
 * index that is walked backwards has them descending. They are turned around here, date by date.
 */
export async function* inOrder(
  endpoints: Endpoints,
  fits: Document,
  { sort, after }: Pick<RecordQuery, 'sort' | 'after'>,
  extent: Extent,
): AsyncGenerator<Found> {
  if (sort.by === 'createdDate' && sort.direction === 'asc') {
    yield* oldestFirst(endpoints, fits, after, extent);
    return;
  }
  const filter = after === undefined ? fits : { $and: [fits, behind(sort, after)] };
  yield* sent(find(endpoints, filter, sortOf(sort), extent));
}

async function* oldestFirst(
  endpoints: Endpoints,
  fits: Document,
  after: PagePlace | undefined,
  extent: Extent,
): AsyncGenerator<Found> {
  const { skip: _passed, ...ahead } = extent;
  let from: number | undefined;
  if (after !== undefined) {
    from = after.createdMs;
    yield* ofDate(endpoints, fits, from, ahead, after.endpointId);
  } else if (extent.skip > 0) {
    const place = await placeAt(endpoints, fits, extent.skip);
    if (place === undefined) return;
    from = place.createdMs;
    yield* ofDate(endpoints, fits, from, { ...ahead, skip: place.passed });
  }
  for (;;) {
    const filter = from === undefined ? fits : { $and: [fits, { created: { $gt: from } }] };
    const run: Found[] = []; // of one date, in descending order of ids
    let date: number | undefined;
    let isLong = false;
    let received = 0;
    for await (const found of sent(find(endpoints, filter, { created: 1, _id: -1 }, ahead, 1))) {
      received++;
      const created = createdOf(found.record);
      if (created !== date) {
        yield* run.reverse();
        run.length = 0;
        date = created;
      }
      run.push(found);
      isLong = run.length > TURN;
      if (isLong) break;
    }
    // It may have ended because no more were wanted: then the last date is not whole.
    const isCut = ahead.most !== undefined && received > ahead.most;
    if (!isLong && !isCut) {
      yield* run.reverse();
      return;
    }
    yield* ofDate(endpoints, fits, date!, ahead);
    from = date!;
  }
}

/** Those of one date, by id. */
function ofDate(
  endpoints: Endpoints,
  fits: Document,
  createdMs: number,
  extent: Partial<Extent>,
  afterId?: string,
): AsyncGenerator<Found> {
  const date = { created: createdMs, ...(afterId === undefined ? {} : { _id: { $gt: afterId } }) };
  return sent(find(endpoints, { $and: [fits, date] }, { _id: 1 }, extent));
}

/** The date at a depth of the list, the oldest first, and how many of that date lie before. */
async function placeAt(
  endpoints: Endpoints,
  fits: Document,
  depth: number,
): Promise<{ createdMs: number; passed: number } | undefined> {
  const order: Sort = { created: 1, _id: -1 };
  const [found] = await find(endpoints, fits, order, { skip: depth, most: 1 }).toArray();
  if (found === undefined) return undefined;
  const createdMs = createdOf(found.record);
  const older = { $and: [fits, { created: { $lt: createdMs } }] };
  return { createdMs, passed: depth - (await endpoints.countDocuments(older, { maxTimeMS: MAX_TIME_MS })) };
}

function find(
  endpoints: Endpoints,
  filter: Document,
  sort: Sort,
  { skip = 0, most, batch }: Partial<Extent>,
  beyond = 0,
): FindCursor<Found> {
  const cursor = endpoints
    .find(filter, { maxTimeMS: MAX_TIME_MS, allowDiskUse: true })
    .project<Found>({ record: 1 })
    .sort(sort);
  if (skip > 0) cursor.skip(skip);
  if (most !== undefined) cursor.limit(most + beyond);
  return batch === undefined ? cursor : cursor.batchSize(batch);
}

async function* sent(cursor: FindCursor<Found>): AsyncGenerator<Found> {
  try {
    for await (const found of cursor) yield found;
  } finally {
    await cursor.close();
  }
}

function sortOf({ by, direction }: RecordQuery['sort']): Sort {
  const sign = direction === 'asc' ? 1 : -1;
  return by === 'endpointId' ? { _id: sign } : { created: sign, _id: 1 };
}

/** What comes after a place. The bound on `created` stands alone, so that an index is entered at it. */
function behind({ by, direction }: RecordQuery['sort'], { createdMs, endpointId }: PagePlace): Document {
  if (by === 'endpointId') return { _id: direction === 'asc' ? { $gt: endpointId } : { $lt: endpointId } };
  return {
    created: { $lte: createdMs },
    $or: [{ created: { $lt: createdMs } }, { _id: { $gt: endpointId } }],
  };
}
