import type { AnyBulkWriteOperation, Collection, Db, Document, ReadConcernLevel } from 'mongodb';
import { MongoBulkWriteError } from 'mongodb';
import { newestVersionOf, type SavedFilter } from '../../model/filter.js';
import type { FilterCommitResult, FilterWrite, StoredPass } from '../port.js';
import type { FilterNews } from '../replication.js';
import { entryField, type GuardedDocument, pushOf } from './documents.js';
import { isDuplicateKey } from './errors.js';
import {
  FILTER_LOG_ID,
  filterLogOf,
  type FilterLogCollection,
  type FilterLogDocument,
  type PendingFilters,
  readFilterLog,
  versionsOf,
} from './filter-log.js';
import { commitGuarded } from './guarded-commit.js';

/** A saved filter as JSON text, and what its lists and its removal need. */
export interface FilterDocument extends Omit<GuardedDocument, 'writes'> {
  application: string;
  filter: string;
  /** the one that wrote it last, see {@link FilterLogDocument} */
  change?: number;
  /** `<application>/<name>`; absent when deleted, so that the name is free */
  name?: string;
  /** its memberships are dropped, Unix ms; it stays a while, for replicas that do not know it yet */
  removed?: number | true;
}

export interface MongoFilters {
  load(): Promise<SavedFilter[]>;
  versions(): Promise<Map<string, number>>;
  /** @param after changes that the caller knows; absent: whatever there is */
  commit(
    newCommitId: () => string,
    writes: readonly FilterWrite[],
    after?: number,
  ): Promise<FilterCommitResult[]>;
  remove(application: string, id: string): Promise<void>;
  changes(): Promise<number>;
  readChanges(since?: number): Promise<FilterNews>;
  /** Forgets what was removed long ago. */
  purge(nowMs: number): Promise<void>;
}

/** A change is one document for a moment; of filters as large as they may be it holds a few. */
const MAX_CHANGE_BYTES = 8 * 1024 * 1024;
const MAX_RACES = 50;
const REMEMBERED_MS = 60 * 60 * 1000;

/**
 * Saved filters. Their changes are one sequence, for all replicas: one is written whole into the log first, with its
 * events, on the condition that there was none since; from then on it has happened. Then it is carried out on the
 * filters, each of which takes only what is newer than itself, so that doing it twice, or late, does no harm; then it is
 * taken out of the log. Who finds one in there carries it out first.
 */
export function createMongoFilters(db: Db, settledReads: ReadConcernLevel): MongoFilters {
  const filters = db.collection<FilterDocument>('filters');
  const log = filterLogOf(db);

  async function settledLog(level?: ReadConcernLevel): Promise<FilterLogDocument> {
    const found = await readFilterLog(db, log, level);
    if (found.pending !== undefined) await finish(log, filters, found.pending);
    return found;
  }

  async function commit(
    newCommitId: () => string,
    writes: readonly FilterWrite[],
    after?: number,
  ): Promise<FilterCommitResult[]> {
    const results: FilterCommitResult[] = [];
    let known = after;
    for (const some of inParts(writes)) {
      const made = await commitSome(newCommitId, some, known);
      results.push(...made.results);
      if (known !== undefined) known = made.changes;
    }
    return results;
  }

  async function commitSome(
    newCommitId: () => string,
    writes: readonly FilterWrite[],
    after: number | undefined,
  ): Promise<{ results: FilterCommitResult[]; changes: number }> {
    for (let race = 0; race < MAX_RACES; race++) {
      const before = await settledLog();
      const { revision: changes } = before;
      if (after !== undefined && changes !== after)
        return { results: writes.map(() => ({ kind: 'behind' })), changes };
      const results = await judge(filters, writes);
      const wanted = writes.filter((_, i) => results[i]!.kind === 'written');
      if (wanted.length === 0) return { results, changes };
      const change = changes + 1;
      const pending: PendingFilters = {
        change,
        filters: wanted.map(({ filter, events }) => ({
          filter: JSON.stringify(filter),
          ...(events === undefined ? {} : { events }),
        })),
      };
      const commitId = newCommitId();
      const update = {
        $set: { revision: change, versions: raised(before, wanted), pending },
        $push: pushOf(commitId),
      };
      const [outcome] = await commitGuarded({
        collection: log as unknown as Collection<GuardedDocument>,
        claims: { field: 'none', enforced: true },
        commitId,
        count: 1,
        build: () => [{ kind: 'update', id: FILTER_LOG_ID, guard: { revision: changes }, update }],
      });
      if (typeof outcome === 'object') throw new Error(outcome.rejected);
      if (outcome !== 'written') continue;
      await finish(log, filters, pending);
      return {
        results: results.map((result) => (result.kind === 'written' ? { ...result, change } : result)),
        changes: change,
      };
    }
    return { results: writes.map(() => ({ kind: 'behind' })), changes: after ?? 0 };
  }

  async function readChanges(since?: number): Promise<FilterNews> {
    for (;;) {
      const before = await settledLog(settledReads);
      const { revision: changes, forgotten = 0 } = before;
      const whole = since === undefined || since < forgotten;
      const found = await filters
        .find(whole ? { removed: { $exists: false } } : { change: { $gt: since } }, {
          readConcern: { level: settledReads },
        })
        .project<Pick<FilterDocument, 'filter'>>({ filter: 1 })
        .toArray();
      // what another change had already done in part would be known without the rest of it
      const after = await readFilterLog(db, log, settledReads);
      if (after.revision !== changes || (after.forgotten ?? 0) !== forgotten) continue;
      const news = found.map(({ filter }) => JSON.parse(filter) as SavedFilter);
      return { changes, versions: versionsOf(before), filters: news, whole };
    }
  }

  return {
    commit,
    readChanges,
    async load() {
      return (await readChanges()).filters;
    },
    versions: async () => versionsOf(await settledLog()),
    async changes() {
      const found = await log.findOne(
        { _id: FILTER_LOG_ID },
        { projection: { revision: 1 }, readConcern: { level: settledReads } },
      );
      return found?.revision ?? 0;
    },
    async remove(application, id) {
      await filters.updateOne(
        { _id: id, application, removed: { $exists: false } },
        { $set: { removed: Date.now() } },
      );
    },
    async purge(nowMs) {
      const over: Document = {
        removed: { $exists: true, $not: { $gte: nowMs - REMEMBERED_MS } },
        due: { $exists: false },
      };
      const [newest] = await filters.find(over).sort({ change: -1 }).limit(1).toArray();
      if (newest === undefined) return;
      await readFilterLog(db, log);
      await log.updateOne({ _id: FILTER_LOG_ID }, { $max: { forgotten: newest.change ?? 0 } });
      await filters.deleteMany({ ...over, change: { $not: { $gt: newest.change ?? 0 } } });
    },
  };
}

/** What each write comes to, one after the other, as the filters stand; nobody else changes them under the log's condition. */
async function judge(
  filters: Collection<FilterDocument>,
  writes: readonly FilterWrite[],
): Promise<FilterCommitResult[]> {
  const claims = writes.flatMap(({ filter }) => claimOf(filter) ?? []);
  const [own, others] = await Promise.all(
    [{ _id: { $in: writes.map(({ filter }) => filter.id) } }, { name: { $in: claims } }].map((which) =>
      filters
        .find(which)
        .project<Pick<FilterDocument, '_id' | 'revision' | 'name' | 'removed'>>({
          revision: 1,
          name: 1,
          removed: 1,
        })
        .toArray(),
    ),
  );
  const revisions = new Map<string, number>();
  const names = new Map<string, string>();
  const holders = new Map<string, string>();
  const claim = (id: string, name: string | undefined) => {
    const former = names.get(id);
    if (former !== undefined) holders.delete(former);
    names.delete(id);
    if (name === undefined) return;
    names.set(id, name);
    holders.set(name, id);
  };
  for (const { _id, revision, name, removed } of [...own!, ...others!]) {
    if (removed === undefined) revisions.set(_id, revision);
    claim(_id, name);
  }
  return writes.map(({ filter, expectedRevision, events }): FilterCommitResult => {
    const { id, revision } = filter;
    if ((revisions.get(id) ?? 0) !== expectedRevision) return { kind: 'conflict' };
    const wanted = claimOf(filter);
    const holder = wanted === undefined ? undefined : holders.get(wanted);
    if (holder !== undefined && holder !== id) return { kind: 'name-taken' };
    revisions.set(id, revision);
    claim(id, wanted);
    return events === undefined
      ? { kind: 'written' }
      : { kind: 'written', outbox: { source: id, order: revision } };
  });
}

async function finish(
  log: FilterLogCollection,
  filters: Collection<FilterDocument>,
  { change, filters: changed }: PendingFilters,
): Promise<void> {
  try {
    await filters.bulkWrite(
      changed.map((each) => putOf(each, change)),
      { ordered: false },
    );
  } catch (error) {
    // an insertion meets its `_id` where what is there is as new, or newer
    if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) throw error;
    const refused = [error.writeErrors].flat();
    if (refused.length === 0 || !refused.every(({ code }) => isDuplicateKey(code))) throw error;
  }
  await log.updateOne({ _id: FILTER_LOG_ID, 'pending.change': change }, { $unset: { pending: '' } });
}

function putOf(
  { filter: text, events }: PendingFilters['filters'][number],
  change: number,
): AnyBulkWriteOperation<FilterDocument> {
  const filter = JSON.parse(text) as SavedFilter;
  const { id, application, revision } = filter;
  const name = claimOf(filter);
  const set: Document = { application, revision, filter: text, change };
  if (name !== undefined) set['name'] = name;
  if (events !== undefined) Object.assign(set, { due: id, [`unpublished.${entryField(revision)}`]: events });
  const unset = { removed: '' as const, ...(name === undefined ? { name: '' as const } : {}) };
  return {
    updateOne: {
      filter: { _id: id, change: { $not: { $gte: change } } },
      update: { $set: set, $unset: unset },
      upsert: true,
    },
  };
}

function claimOf({ application, name, deletedMs }: SavedFilter): string | undefined {
  return deletedMs === undefined ? `${application}/${name}` : undefined;
}

function raised(log: FilterLogDocument, writes: readonly FilterWrite[]): FilterLogDocument['versions'] {
  const versions = versionsOf(log);
  for (const { filter } of writes)
    versions.set(
      filter.application,
      Math.max(versions.get(filter.application) ?? 0, newestVersionOf(filter)),
    );
  return Array.from(versions, ([application, version]) => ({ application, version }));
}

function* inParts(writes: readonly FilterWrite[]): Generator<FilterWrite[]> {
  let part: FilterWrite[] = [];
  let bytes = 0;
  for (const write of writes) {
    const size = 2 * write.filter.queryText.length + (write.events?.length ?? 0) + 8192;
    if (part.length > 0 && bytes + size > MAX_CHANGE_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(write);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

interface PassDocument extends StoredPass {
  _id: string;
}

export async function getPass(db: Db, application: string): Promise<StoredPass | undefined> {
  const found = await passes(db).findOne({ _id: application });
  if (found === null) return undefined;
  const { _id, ...pass } = found;
  return pass;
}

export async function putPass(db: Db, application: string, pass: StoredPass | undefined): Promise<void> {
  if (pass === undefined) await passes(db).deleteOne({ _id: application });
  else await passes(db).replaceOne({ _id: application }, pass, { upsert: true });
}

function passes(db: Db): Collection<PassDocument> {
  return db.collection<PassDocument>('passes');
}
