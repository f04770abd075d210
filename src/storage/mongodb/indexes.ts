import { setTimeout as delay } from 'node:timers/promises';
import { MongoServerError, type Collection, type CreateIndexesOptions, type Db } from 'mongodb';
import { isUnavailable } from './errors.js';

export interface IndexPlan {
  collection: 'endpoints' | 'filters' | 'relations' | 'relationGuards' | 'tasks' | 'answers';
  name: string;
  purpose: string;
  keys: Readonly<Record<string, 1 | -1>>;
  options?: CreateIndexesOptions;
  /** tried in turn on servers that refuse `options`; the plain index is the last */
  instead?: CreateIndexesOptions[];
  /** what it means that the options are lacking, and the remedy */
  without?: string;
}

const ATTEMPTS = 4;
/** Invalid or unknown options, other keys or options under that name, duplicate keys: trying again is of no use. */
const REFUSED_FOR_GOOD = new Set([2, 9, 67, 72, 85, 86, 11000, 11001]);

const SPARSE_ONLY_SMALLER =
  'It works, but is larger and slower to write than need be. Remedy: a server that has sparse indexes.';

/** Order and fields follow the queries of lists.ts, metadata-keys.ts, relations.ts, outbox.ts, filters.ts and tasks.ts; nothing else is indexed. */
export const PLANNED_INDEXES: readonly IndexPlan[] = [
  {
    collection: 'endpoints',
    name: 'all_list',
    purpose: 'lists of all, newest first, page by page',
    keys: { created: -1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'tenant_list',
    purpose: 'lists of a tenant, newest first, page by page',
    keys: { tenant: 1, created: -1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'application_list',
    purpose: 'lists and counts of an application, newest first, page by page',
    keys: { application: 1, created: -1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'version_list',
    purpose: 'lists and counts of an application version, newest first, page by page',
    keys: { application_version: 1, created: -1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'members',
    purpose: 'lists and counts of the members of a filter, newest first, page by page; dropping memberships',
    keys: { application: 1, filters: 1, created: -1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'tenant_ids',
    purpose: 'lists of a tenant by id, page by page',
    keys: { tenant: 1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'version_ids',
    purpose: 'lists of an application version by id, page by page',
    keys: { application_version: 1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'member_ids',
    purpose: 'lists of the members of a filter by id, page by page',
    keys: { application: 1, filters: 1, _id: 1 },
  },
  {
    collection: 'endpoints',
    name: 'evaluation',
    purpose: 'records of an application that a filter set has not reached, and lists by id',
    keys: { application: 1, _id: 1, filterSet: 1 },
  },
  {
    collection: 'endpoints',
    name: 'outdated',
    purpose: 'whether a record was not evaluated with the active filters',
    keys: { application: 1, filterSet: 1 },
  },
  {
    collection: 'endpoints',
    name: 'metadata',
    purpose: 'queries on the values of metadata keys',
    keys: { application: 1, 'metadata.key': 1, 'metadata.value': 1 },
  },
  {
    collection: 'endpoints',
    name: 'version_keys',
    purpose: 'whether an endpoint of a version has a metadata key: the metadata keys of an application',
    keys: { application: 1, application_version: 1, 'metadata.key': 1 },
  },
  {
    collection: 'endpoints',
    name: 'token',
    purpose: 'a token belongs to one endpoint of an application',
    keys: { token: 1 },
    options: { unique: true, sparse: true },
    instead: [{ unique: true, partialFilterExpression: { token: { $exists: true } } }],
    without:
      'Two endpoints of an application that are registered at the same moment by two replicas could get the same token. ' +
      'Remedy: a server with sparse unique indexes and an unsharded collection, and no two endpoints with the same "token" in it.',
  },
  {
    collection: 'endpoints',
    name: 'outbox',
    purpose: 'endpoints with events to publish',
    keys: { due: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'endpoints',
    name: 'tombstones',
    purpose: 'unregistered endpoints, and those whose day is over',
    keys: { deletedAt: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'filters',
    name: 'changes',
    purpose: 'filters that another replica has changed',
    keys: { change: 1 },
  },
  {
    collection: 'filters',
    name: 'names',
    purpose: 'whose a name of a filter is',
    keys: { name: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'filters',
    name: 'outbox',
    purpose: 'filters with events to publish',
    keys: { due: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'relations',
    name: 'contents',
    purpose: 'what an endpoint contains, newest first, page by page',
    keys: { tenant: 1, from: 1, fromCreated: 1, toCreated: -1, to: 1 },
  },
  {
    collection: 'relations',
    name: 'containers',
    purpose: 'what an endpoint is contained in, newest first, page by page',
    keys: { tenant: 1, to: 1, toCreated: 1, fromCreated: -1, from: 1 },
  },
  {
    collection: 'relations',
    name: 'gone',
    purpose: 'links that were taken away, to be forgotten',
    keys: { gone: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'relationGuards',
    name: 'outbox',
    purpose: 'tenants with events of relations to publish',
    keys: { due: 1 },
    options: { sparse: true },
    without: SPARSE_ONLY_SMALLER,
  },
  {
    collection: 'tasks',
    name: 'completion',
    purpose: 'open tasks, and complete ones that have expired',
    keys: { complete: 1, created: 1 },
  },
  {
    collection: 'answers',
    name: 'date',
    purpose: 'answers under idempotency keys that have expired',
    keys: { created: 1 },
  },
];

export interface MadeIndexes {
  indexes: { name: string; purpose: string }[];
  notes: string[];
  /** whether tokens are kept apart by the server */
  tokensUnique: boolean;
}

/**
 * Makes the indexes, one after the other: servers that lock tables for it run into deadlocks otherwise. Those that are
 * there already cost a round trip. What a server lacks is left out and noted.
 *
 * @throws the driver's error when the server is away
 */
export async function makeIndexes(db: Db): Promise<MadeIndexes> {
  // a unique one, of before there was a log: in the middle of a change two filters may have one name
  await db
    .collection('filters')
    .dropIndex('name')
    .catch((error: unknown) => {
      if (!(error instanceof MongoServerError) || isUnavailable(error)) throw error;
    });
  const results: MadeIndex[] = [];
  for (const plan of PLANNED_INDEXES) results.push(await makeIndex(db.collection(plan.collection), plan));
  const tokensUnique = PLANNED_INDEXES.every(
    ({ collection, options }, i) =>
      collection !== 'endpoints' || options?.unique !== true || results[i]!.asPlanned,
  );
  return {
    indexes: PLANNED_INDEXES.map(({ collection, name, purpose }) => ({
      name: `${collection}.${name}`,
      purpose,
    })),
    notes: results.flatMap((result) => result.note ?? []),
    tokensUnique,
  };
}

interface MadeIndex {
  asPlanned: boolean;
  note?: string;
}

async function makeIndex(collection: Collection, plan: IndexPlan): Promise<MadeIndex> {
  const title = `Index "${plan.name}" of collection "${plan.collection}" (${plan.purpose})`;
  const refused = await tryIndex(collection, plan, plan.options ?? {});
  if (refused === undefined) return { asPlanned: true };
  for (const options of plan.instead ?? []) {
    if ((await tryIndex(collection, plan, options)) === undefined) return { asPlanned: true };
  }
  if (plan.options !== undefined && (await tryIndex(collection, plan, {})) === undefined) {
    const lacking = Object.keys(plan.options).join(', ');
    return {
      asPlanned: false,
      note: `${title} was made without ${lacking}: ${refused}. ${plan.without ?? ''}`.trim(),
    };
  }
  const remedy =
    'What it is for works, but slowly, by reading everything. Remedy: drop an index of that name or those keys that differs from ' +
    `${JSON.stringify(plan.keys)}, and start again.`;
  return { asPlanned: false, note: `${title} could not be made: ${refused}. ${plan.without ?? remedy}` };
}

/**
 * Tries more than once: another replica that starts at the same moment makes the same indexes, and may be in the way.
 *
 * @returns why the server refuses; undefined when the index is there
 */
async function tryIndex(
  collection: Collection,
  plan: IndexPlan,
  options: CreateIndexesOptions,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      await collection.createIndex(plan.keys, { ...options, name: plan.name });
      return undefined;
    } catch (error) {
      if (!(error instanceof MongoServerError) || isUnavailable(error)) throw error;
      if (attempt === ATTEMPTS || REFUSED_FOR_GOOD.has(error.code as number)) return error.message;
      await delay(Math.random() * attempt * 100);
    }
  }
}
