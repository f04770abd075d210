import type { Database, RootDatabase } from 'lmdb';
import type { RelationDirection, RelationEnd } from '../../model/relation.js';

export type Part = string | number;
export type Key = Part | Part[] | Buffer;

/** A read transaction: one view of all tables until `done`. */
export interface View {
  done(): void;
}

export interface Range {
  start?: Key;
  end?: Key;
  exclusiveStart?: boolean;
  reverse?: boolean;
  limit?: number;
  offset?: number;
  /** absent: the newest state, or that of the write transaction under way */
  transaction?: View | undefined;
}

/**
 * What this keeper uses of an LMDB database. (The types of the package leave out the `transaction` of single reads.)
 */
export interface Table {
  /** A copy, to keep. */
  getBinary(key: Key, options?: { transaction: View }): Buffer | undefined;
  /** In a buffer that the next read of any table overwrites. */
  getBinaryFast(key: Key, options?: { transaction: View }): Buffer | undefined;
  put(key: Key, value: Uint8Array): unknown;
  remove(key: Key): unknown;
  getKeys(range: Range): Iterable<Key>;
  /** Without a look at them one by one here: some 60 ns each. */
  getKeysCount(range: Range): number;
  getStats(): { entryCount: number };
  getRange(range: Range): Iterable<{ key: Key; value: Buffer }>;
}

/** Each table with its purpose, in one line. */
export const PURPOSES = {
  records: 'endpoint id -> record or tombstone',
  lists:
    'records of all, of a tenant, application, version and filter, and the links of an endpoint both ways, newest first, and the records of an application by id: lists and pages',
  moves:
    'which endpoints enter and leave lists of filters, in the order of their commit, until lists and counts have it',
  counts: 'how many entries a list has: totals without a scan',
  keyCounts:
    'application, version and metadata key -> how many records have it: metadata keys without a scan',
  values: 'values of indexed metadata keys -> when their endpoint was created: queries on values',
  valueIndexes: 'which metadata keys of which application are indexed, and how far',
  relationRevisions: 'tenant -> how many changes of its relations there were: what guards the next one',
  memberships: 'endpoint id -> filters it is a member of',
  tokens: 'application and token hash -> endpoint: a token is held once',
  outbox: 'events that are not known to be published, in the order of their commit',
  filters: 'saved filters by application and id',
  filterNames: 'application and name -> filter: a name is held once',
  filterNumbers: 'application -> newest filter number',
  passes: 'application -> how far the recalculation of its filters is',
  tasks: 'batch tasks by id',
  answers: 'answers of requests with an idempotency key',
  answerDates: 'such answers by date: what is to be forgotten',
  secrets: 'secrets of this installation by name',
  tombstones: 'unregistered endpoints by date: what is to be forgotten',
  meta: 'format of the data, how far its keeping is, and texts by name',
} as const;

export type Tables = Record<keyof typeof PURPOSES, Table>;

/** A table whose one entry has the turn of the newest write as its version. */
export type Fence = Database<Uint8Array, string>;

export function openFence(env: RootDatabase): Fence {
  return env.openDB<Uint8Array, string>('fence', { encoding: 'binary', useVersions: true });
}

export function openTables(env: RootDatabase): Tables {
  const names = Object.keys(PURPOSES) as (keyof typeof PURPOSES)[];
  const tables = names.map((name) => {
    const keyEncoding = name === 'values' ? 'binary' : 'ordered-binary';
    return [name, env.openDB(name, { encoding: 'binary', keyEncoding })];
  });
  return Object.fromEntries(tables) as Tables;
}

/**
 * Whether a text can be (part of) a key: LMDB throws at an empty or too long one. A caller may ask for anything; nothing
 * is stored under what is none.
 */
export function isKey(text: string): boolean {
  return text.length > 0 && text.length <= 300;
}

/** A list of records, or of the ends of links, and the head of its keys. */
export type List = Part[];

export const ALL: List = ['*'];
export const listOf = {
  tenant: (tenant: string): List => ['t', tenant],
  application: (application: string): List => ['a', application],
  version: (application: string, version: string): List => ['v', application, version],
  filter: (application: string, filterNumber: number): List => ['f', application, filterNumber],
  /** the other ends of its links */
  related: ({ endpointId, createdMs }: RelationEnd, direction: RelationDirection): List => [
    direction === 'contains' ? 'rc' : 'ri',
    endpointId,
    createdMs,
  ],
};

/** Not a list, but counted like one: whether an application is whole in one tenant. */
export function tenantApplication(tenant: string, application: string): List {
  return ['ta', tenant, application];
}

/** The head of the keys under which an application's records stand by endpoint id. */
export function idsOf(application: string): List {
  return ['i', application];
}

/** Newest first: the date is negative, so that keys ascend. */
export function entryOf(list: List, createdMs: number, endpointId: string): Part[] {
  return [...list, -createdMs, endpointId];
}

export function countIn(tables: Tables, list: List, view?: View): number {
  const bytes = view
    ? tables.counts.getBinaryFast(list, { transaction: view })
    : tables.counts.getBinaryFast(list);
  return numberOf(bytes);
}

export function numberOf(bytes: Buffer | undefined): number {
  return bytes === undefined ? 0 : bytes.readDoubleLE(0);
}

export function numbersOf(bytes: Buffer | undefined): number[] {
  if (bytes === undefined) return [];
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4));
}

export function bytesOfNumbers(numbers: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(numbers.length * 4);
  numbers.forEach((number, i) => bytes.writeUInt32LE(number, i * 4));
  return bytes;
}

export function bytesOfNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(number, 0);
  return bytes;
}

export const NOTHING = Buffer.alloc(0);
