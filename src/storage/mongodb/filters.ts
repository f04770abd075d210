import type { Collection, Db, Document } from 'mongodb';
import type { SavedFilter } from '../../model/filter.js';
import type { FilterCommitResult, FilterWrite, StoredPass } from '../port.js';
import { entryField, type GuardedDocument, pushOf } from './documents.js';
import { isDuplicateKey } from './errors.js';
import { commitGuarded, type GuardedWrite } from './guarded-commit.js';

/** A saved filter as JSON text, and what its index and its removal need. */
export interface FilterDocument extends GuardedDocument {
  application: string;
  filter: string;
  /** `<application>/<name>`; absent when deleted, so that the name is free */
  name?: string;
  /** waits for its outbox only */
  removed?: true;
}

interface CounterDocument {
  _id: string;
  filterNumber: number;
}

const MAX_RACES = 5;

export async function loadFilters(filters: Collection<FilterDocument>): Promise<SavedFilter[]> {
  await purgeRemoved(filters);
  const documents = await filters
    .find({ removed: { $exists: false } })
    .project<Pick<FilterDocument, 'filter'>>({ filter: 1 })
    .toArray();
  return documents.map(({ filter }) => JSON.parse(filter) as SavedFilter);
}

export async function commitFilters(
  filters: Collection<FilterDocument>,
  namesUnique: boolean,
  commitId: string,
  writes: readonly FilterWrite[],
): Promise<FilterCommitResult[]> {
  const outcomes = await commitGuarded({
    collection: filters as unknown as Collection<GuardedDocument>,
    claims: { field: 'name', enforced: namesUnique },
    commitId,
    count: writes.length,
    build: (places) => places.map((place) => writeOf(writes[place]!, commitId)),
  });
  return writes.map(({ filter, events }, i): FilterCommitResult => {
    const outcome = outcomes[i]!;
    // a filter and its few events are far below what a document may hold
    if (typeof outcome === 'object') throw new Error(outcome.rejected);
    if (outcome !== 'written') return { kind: outcome === 'claimed' ? 'name-taken' : 'conflict' };
    return events === undefined
      ? { kind: 'written' }
      : { kind: 'written', outbox: { source: filter.id, order: filter.revision } };
  });
}

function writeOf({ filter, expectedRevision, events }: FilterWrite, commitId: string): GuardedWrite {
  const { id, application, revision } = filter;
  const claim = filter.deletedMs === undefined ? `${application}/${filter.name}` : undefined;
  const fields: Omit<FilterDocument, '_id' | 'writes'> = {
    application,
    revision,
    filter: JSON.stringify(filter),
    ...(claim === undefined ? {} : { name: claim }),
    ...(events === undefined ? {} : { due: id }),
  };
  const entry = entryField(revision);
  if (expectedRevision === 0) {
    const document = {
      _id: id,
      ...fields,
      writes: [commitId],
      ...(events === undefined ? {} : { unpublished: { [entry]: events } }),
    };
    return { kind: 'insert', id, document, claim };
  }
  const update: Document = {
    $set: events === undefined ? fields : { ...fields, [`unpublished.${entry}`]: events },
    $push: pushOf(commitId),
    ...(claim === undefined ? { $unset: { name: '' } } : {}),
  };
  return { kind: 'update', id, guard: { revision: expectedRevision }, update, claim };
}

export async function removeFilter(
  filters: Collection<FilterDocument>,
  application: string,
  id: string,
): Promise<void> {
  await filters.updateOne({ _id: id, application }, { $set: { removed: true } });
  await purgeRemoved(filters);
}

/** A removed filter goes when its events are published: with this removal, a later one, or the next start. */
async function purgeRemoved(filters: Collection<FilterDocument>): Promise<void> {
  await filters.deleteMany({ removed: true, due: { $exists: false } });
}

export async function takeFilterNumbers(db: Db, application: string, count: number): Promise<number> {
  for (let race = 1; ; race++) {
    try {
      const counter = await counters(db).findOneAndUpdate(
        { _id: application },
        { $inc: { filterNumber: count } },
        { upsert: true, returnDocument: 'after' },
      );
      return counter!.filterNumber - count + 1;
    } catch (error) {
      // Two replicas made the first one at the same time.
      if (!isDuplicateKey((error as { code?: unknown }).code) || race === MAX_RACES) throw error;
    }
  }
}

export async function filterSetVersions(db: Db): Promise<Map<string, number>> {
  const all = await counters(db).find().toArray();
  return new Map(all.map(({ _id, filterNumber }) => [_id, filterNumber]));
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

function counters(db: Db): Collection<CounterDocument> {
  return db.collection<CounterDocument>('counters');
}
