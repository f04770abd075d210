import type { Collection } from 'mongodb';
import { guardOf, isTombstone } from '../../model/record.js';
import type { CommitResult, RecordWrite } from '../port.js';
import type { ClearedEntries } from './cleared-entries.js';
import {
  insertOf,
  orderOf,
  tokenClaimOf,
  updateOf,
  type EndpointDocument,
  type GuardedDocument,
} from './documents.js';
import { commitGuarded, type GuardedOutcome, type GuardedWrite } from './guarded-commit.js';
import { type KeyDocument, type KnownKeys, noteKeys } from './metadata-keys.js';
import type { RecordCache } from './record-cache.js';

type Endpoints = Collection<EndpointDocument>;

const DROP_STEP = 1000;
const PURGE_STEP = 1000;
const TOMBSTONE_MS = 24 * 60 * 60 * 1000;

export async function loadRecords(
  endpoints: Endpoints,
  cache: RecordCache,
  ids: readonly string[],
  fresh: boolean,
): Promise<(Uint8Array | undefined)[]> {
  const found = new Map<string, Uint8Array>();
  const missing = new Set<string>();
  for (const id of ids) {
    const cached = fresh ? undefined : cache.get(id);
    if (cached === undefined) missing.add(id);
    else found.set(id, cached);
  }
  if (missing.size > 0) {
    const documents = await endpoints
      .find({ _id: { $in: [...missing] } })
      .project<Pick<EndpointDocument, '_id' | 'record'>>({ record: 1 })
      .toArray();
    for (const { _id, record } of documents) found.set(_id, cache.read(_id, record));
  }
  return ids.map((id) => found.get(id));
}

export interface CommitDeps {
  endpoints: Endpoints;
  cache: RecordCache;
  cleared: ClearedEntries;
  tokensUnique: boolean;
  keys: Collection<KeyDocument>;
  knownKeys: KnownKeys;
}

/** @param until the server refuses the updates when its clock says that it is later: a conflict, then */
export async function commitRecords(
  { endpoints, cache, cleared, tokensUnique, keys, knownKeys }: CommitDeps,
  commitId: string,
  writes: readonly RecordWrite[],
  until?: Date,
): Promise<CommitResult[]> {
  await noteKeys(keys, knownKeys, writes);
  // Once for all attempts: what an attempt whose answer was lost has taken out is what counts as taken out.
  const takenOut = writes.map((write) =>
    isUpdate(write) && write.events !== undefined ? cleared.ordersOf(write.endpointId) : [],
  );
  let outcomes: GuardedOutcome[];
  try {
    outcomes = await commitGuarded({
      collection: endpoints as unknown as Collection<GuardedDocument>,
      claims: { field: 'token', enforced: tokensUnique },
      commitId,
      count: writes.length,
      build: (places) =>
        buildWrites(
          endpoints,
          commitId,
          places.map((place) => ({ ...writes[place]!, takenOut: takenOut[place]! })),
          until,
        ),
    });
  } catch (error) {
    for (const { endpointId } of writes) cache.drop(endpointId);
    throw error;
  }
  return writes.map((write, i): CommitResult => {
    const outcome = outcomes[i]!;
    if (outcome !== 'written') cache.drop(write.endpointId);
    if (typeof outcome === 'object') return { kind: 'rejected', message: outcome.rejected };
    if (outcome === 'claimed') return { kind: 'token-taken' };
    if (outcome === 'conflict') return { kind: 'conflict' };
    cache.wrote(write.endpointId, write.record);
    if (takenOut[i]!.length > 0) cleared.removed(write.endpointId, takenOut[i]!);
    if (write.events === undefined) return { kind: 'written' };
    cleared.wrote(write.endpointId, write.events.length);
    const { revision } = write.expected;
    return {
      kind: 'written',
      outbox: { source: write.endpointId, order: orderOf(guardOf(write.record)) },
      previous: orderOf({ revision, filterSet: 0 }),
    };
  });
}

async function buildWrites(
  endpoints: Endpoints,
  commitId: string,
  writes: readonly (RecordWrite & { takenOut: readonly number[] })[],
  until: Date | undefined,
): Promise<GuardedWrite[]> {
  const both = writes.filter(
    (write) =>
      isUpdate(write) && write.matched.length > 0 && write.unmatched.length > 0 && !isTombstone(write.record),
  );
  const members =
    both.length === 0
      ? undefined
      : await readMembers(
          endpoints,
          both.map((write) => write.endpointId),
        );
  const rewritten = new Set(both);
  return writes.map((write): GuardedWrite => {
    const { endpointId: id } = write;
    const claim = tokenClaimOf(write);
    if (!isUpdate(write)) return { kind: 'insert', id, document: insertOf(write, commitId), claim };
    const { guard, update } = updateOf(
      write,
      commitId,
      write.takenOut,
      rewritten.has(write) ? (members?.get(id) ?? []) : undefined,
    );
    if (until !== undefined) guard['$expr'] = { $lt: ['$$NOW', until] };
    return { kind: 'update', id, guard, update, claim };
  });
}

function isUpdate({ expected }: RecordWrite): boolean {
  return expected.revision !== 0 || expected.filterSet !== 0;
}

async function readMembers(endpoints: Endpoints, ids: readonly string[]): Promise<Map<string, number[]>> {
  const found = await endpoints
    .find({ _id: { $in: ids } })
    .project<Pick<EndpointDocument, '_id' | 'filters'>>({ filters: 1 })
    .toArray();
  return new Map(found.map(({ _id, filters }) => [_id, filters]));
}

export async function readMemberships(endpoints: Endpoints, ids: readonly string[]): Promise<number[][]> {
  if (ids.length === 0) return [];
  const members = await readMembers(endpoints, ids);
  return ids.map((id) => [...(members.get(id) ?? [])].sort((a, b) => a - b));
}

/** Tombstones have no such date. */
export async function readRegistered(
  endpoints: Endpoints,
  ids: readonly string[],
): Promise<(number | undefined)[]> {
  if (ids.length === 0) return [];
  const found = await endpoints
    .find({ _id: { $in: [...new Set(ids)] } })
    .project<Pick<EndpointDocument, '_id' | 'created'>>({ created: 1 })
    .toArray();
  const created = new Map(found.map((document) => [document._id, document.created]));
  return ids.map((id) => created.get(id));
}

export async function findOutdated(
  endpoints: Endpoints,
  application: string,
  filterSet: number,
  limit: number,
): Promise<string[]> {
  const found = await endpoints
    .find({ application, filterSet: { $lt: filterSet } })
    .project<Pick<EndpointDocument, '_id'>>({ _id: 1 })
    .limit(limit)
    .toArray();
  return found.map(({ _id }) => _id);
}

export async function scanTombstones(
  endpoints: Endpoints,
  limit: number,
  after: string | undefined,
): Promise<{ records: Uint8Array[]; next?: string }> {
  // the index has the date only, and many may have one date: how many of it were read goes with it
  const [fromMs, toPassOver] = after === undefined ? [0, 0] : (JSON.parse(after) as [number, number]);
  const found = await endpoints
    .find({ deletedAt: { $gte: fromMs } })
    .project<Required<Pick<EndpointDocument, '_id' | 'record' | 'deletedAt'>>>({ record: 1, deletedAt: 1 })
    .sort({ deletedAt: 1 })
    .skip(toPassOver)
    .limit(limit)
    .toArray();
  const records = found.map(({ record }) => record);
  const last = found.at(-1);
  if (last === undefined || found.length < limit) return { records };
  const ofDate = found.filter(({ deletedAt }) => deletedAt === last.deletedAt).length;
  const next = [last.deletedAt, last.deletedAt === fromMs ? toPassOver + ofDate : ofDate];
  return { records, next: JSON.stringify(next) };
}

/** In steps, so that no command runs long; what is done stays done. */
export async function dropMemberships(
  endpoints: Endpoints,
  application: string,
  filterNumber: number,
): Promise<void> {
  for (;;) {
    const step = await endpoints
      .find({ application, filters: filterNumber })
      .project<{ _id: string }>({ _id: 1 })
      .limit(DROP_STEP)
      .toArray();
    if (step.length === 0) return;
    await endpoints.updateMany(
      { _id: { $in: step.map(({ _id }) => _id) } },
      { $pull: { filters: filterNumber } },
    );
  }
}

/**
 * Removes tombstones whose day is over and whose events are published. Not by a TTL index: that has one condition, the
 * date, and would take unpublished events with it; a date set when the last event is cleared could be lost in between.
 */
export async function purgeTombstones(endpoints: Endpoints, nowMs: number): Promise<void> {
  const over = { deletedAt: { $lt: nowMs - TOMBSTONE_MS }, due: { $exists: false } };
  for (;;) {
    const step = await endpoints.find(over).project<{ _id: string }>({ _id: 1 }).limit(PURGE_STEP).toArray();
    if (step.length === 0) return;
    // Asked again with the rest: an endpoint may have come back.
    await endpoints.deleteMany({ ...over, _id: { $in: step.map(({ _id }) => _id) } });
  }
}
