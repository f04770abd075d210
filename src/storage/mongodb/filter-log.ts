import type { Collection, Db, ReadConcernLevel } from 'mongodb';
import type { GuardedDocument } from './documents.js';
import { isDuplicateKey } from './errors.js';

/**
 * The one document that all changes of saved filters go through: how many there were (`revision`), the newest filter-set
 * version of each application, and the last change, until it is known to be carried out on the filters' documents.
 */
export interface FilterLogDocument extends GuardedDocument {
  versions: { application: string; version: number }[];
  pending?: PendingFilters;
  /** filters that went up to this change are not remembered */
  forgotten?: number;
}

export interface PendingFilters {
  change: number;
  filters: { filter: string; events?: Uint8Array }[];
}

export type FilterLogCollection = Collection<FilterLogDocument>;

export const FILTER_LOG_ID = 'filters';

export function filterLogOf(db: Db): FilterLogCollection {
  return db.collection<FilterLogDocument>('filterLog');
}

/** The log as it stands; the first who asks makes it. */
export async function readFilterLog(
  db: Db,
  log: FilterLogCollection,
  level?: ReadConcernLevel,
): Promise<FilterLogDocument> {
  for (;;) {
    const options = level === undefined ? {} : { readConcern: { level } };
    const found = await log.findOne({ _id: FILTER_LOG_ID }, options);
    if (found !== null) return found;
    await makeFilterLog(db, log);
  }
}

/** Begins with the versions that were counted before there was a log. */
async function makeFilterLog(db: Db, log: FilterLogCollection): Promise<void> {
  const counters = await db.collection<{ _id: string; filterNumber: number }>('counters').find().toArray();
  const versions = counters.map(({ _id, filterNumber }) => ({ application: _id, version: filterNumber }));
  try {
    await log.insertOne({ _id: FILTER_LOG_ID, revision: 0, writes: [], versions });
  } catch (error) {
    // another replica was first
    if (!isDuplicateKey((error as { code?: unknown }).code)) throw error;
  }
}

export function versionsOf({ versions }: Pick<FilterLogDocument, 'versions'>): Map<string, number> {
  return new Map(versions.map(({ application, version }) => [application, version]));
}
