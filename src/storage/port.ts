import type { MetadataDiff } from '../model/diff.js';
import type { Guard } from '../model/record.js';
import type { SavedFilter } from '../model/filter.js';
import type { Relation, RelationDirection, RelationEnd } from '../model/relation.js';
import type { Query } from '../filters/index.js';
import type { Replication } from './replication.js';

/**
 * What a keeper of the register promises. Two keep it: `embedded/` (LMDB) and `mongodb/`; one contract test holds both
 * to it. Records and outbox entries are bytes (`model/record.ts`, `model/event.ts`); a keeper reads of them what it
 * needs for its indexes.
 *
 * Every method that writes resolves when the write is durable, in the sense of `storage.durability`. A keeper that can't
 * reach its storage rejects with {@link StorageUnavailable}: then nothing is known of the writes of that call, and giving
 * them again is safe, since each is guarded.
 */
export interface Store {
  /** Indexes (or index-like tables) that the keeper uses, each with its purpose in one line; logged at start. */
  readonly indexes: readonly { name: string; purpose: string }[];
  /**
   * Whether nobody but this process can write while this store is open. Then a record that was looked at is what it was until
   * this process changes it, and that it was needs no note in the record.
   */
  readonly soleWriter: boolean;
  /** How several processes on this storage know of each other; absent where there is but one. */
  readonly replication?: Replication;
  /** Things an operator should know: an index option that the server lacks, say. Logged at start as warnings. */
  readonly notes: readonly string[];

  /**
   * Records by endpoint id, in the order of `ids`. Missing: `undefined`. An unregistered endpoint: its tombstone, for
   * 24 h at the least. One read for all. The bytes are the caller's to keep, not to change: others may hold them, too.
   *
   * `fresh: false` allows records that are older than the storage's: for who writes under their guard. What comes to no
   * write (unchanged, a precondition that fails, no such key) is caught by no guard: decide that on a fresh load.
   */
  load(ids: readonly string[], options?: { fresh?: boolean }): Promise<(Uint8Array | undefined)[]>;
  /** What `load` would answer for one, at once: of a keeper that need not wait for its data. Throws what `load` rejects with. */
  loadNow?(id: string): Uint8Array | undefined;
  /**
   * The same without a copy: valid until the next call of the store. `fresh`: all that was written before the call is seen;
   * else all that was when `fresh` was asked for last. Where `loadNow` is.
   */
  peek?(id: string, fresh: boolean): Uint8Array | undefined;

  /**
   * Writes records, their list entries, memberships, tokens and outbox entries: each record with all of its own in one
   * atomic step, the batch in no order. Per write, in its place:
   *
   * - `written` when the stored record had the expected guard (or, with guard 0/0, when nothing was stored);
   * - `conflict` when it had not: nothing of that write happened; load again and compute anew;
   * - `token-taken` when the record claims a token that another endpoint of the application has: nothing happened.
   * - `rejected` when the storage can't hold what this write would make (MongoDB: a document above 16 MiB, as when the
   *   broker is away for long and an endpoint's outbox grows): nothing of that write happened; `message` says why.
   *
   * An id stands at most once in a batch.
   */
  commit(writes: readonly RecordWrite[]): Promise<CommitResult[]>;

  /** Numbers of the filters that each endpoint is a member of, ascending; in the order of `ids`. Missing: `[]`. */
  memberships(ids: readonly string[]): Promise<number[][]>;

  /** A page of live records (no tombstones), see {@link RecordQuery}. */
  find(query: RecordQuery): Promise<RecordPage>;

  /**
   * How many live records of an application match a query, where an index tells: which one, by its name, and how much was
   * read for it. Undefined: records would have to be looked at.
   */
  countIndexed(application: string, where: Query): Promise<IndexedCount | undefined>;

  /** How many live records are in a scope. Exact; on the embedded keeper no record is read, but for a version without its application. */
  count(scope: Scope): Promise<number>;

  /**
   * The metadata keys of an application's live records, by version, in ascending order (of UTF-16 units); a version
   * without any is left out. No scan of records: O(keys of the application).
   */
  metadataKeys(application: string): Promise<Map<string, string[]>>;

  /**
   * Live records of an application that were last evaluated with a filter-set version below `filterSet`, by endpoint id, of
   * those behind `after`: at most `limit` of them, fewer when they are large. All that was written before the call is seen.
   * `next` is absent when there are no more. `passed` says how many live records the keeper walked over, those that it
   * answers included. Records inserted meanwhile may or may not be there.
   */
  scanStale(application: string, filterSet: number, limit: number, after?: string): Promise<StalePage>;

  /** How far the recalculation of an application's filters had come; `undefined`: none is under way. */
  getPass(application: string): Promise<StoredPass | undefined>;
  /** Notes it, or, with `undefined`, that none is under way any more. */
  putPass(application: string, pass: StoredPass | undefined): Promise<void>;

  /** When the endpoints of these ids were registered, Unix ms, in the order of `ids`; `undefined`: no such endpoint now. */
  registered(ids: readonly string[]): Promise<(number | undefined)[]>;

  /**
   * Tombstones, the longest unregistered first, after what was answered as `next`, which is absent when there are no
   * more. Those made or forgotten meanwhile may shift others: housekeeping, not a list.
   */
  scanTombstones(limit: number, after?: string): Promise<{ records: Uint8Array[]; next?: string }>;

  /** How many changes of a tenant's relations there were: 0, 1, 2, ... What is read of them later is not of before. */
  relationsRevision(tenant: string): Promise<number>;

  /**
   * Links and unlinks, with their outbox entries, all or nothing: `conflict` when the tenant's relations were changed
   * since `expectedRevision`, and nothing happened; else the revision is one more. `rejected` as in {@link commit}.
   * A reader that comes after the answer sees all of it; one before, some of it, maybe. Whether the ends are endpoints
   * is not looked at.
   */
  commitRelations(write: RelationsWrite): Promise<RelationsCommitResult>;

  /** Whether each is there, in the order of `relations`. */
  linked(tenant: string, relations: readonly Relation[]): Promise<boolean[]>;

  /** Links of any of the ends in a direction, in no order, at most `limit`; `more`: there are others. */
  related(
    tenant: string,
    ends: readonly RelationEnd[],
    direction: RelationDirection,
    limit: number,
  ): Promise<{ relations: Relation[]; more: boolean }>;

  /** A page of the other ends of one end's links: newest first, ids ascending within a date. */
  findRelations(query: RelationQuery): Promise<RelationPage>;

  /**
   * Entries that were committed and not cleared: oldest first, one source's in the order of its revisions. `after` continues.
   * At most `limit`, and no more once their events have `maxBytes` together (default: no bound).
   */
  readOutbox(limit: number, after?: OutboxPosition, maxBytes?: number): Promise<OutboxEntry[]>;
  /** The same with those that were cleared and are in the storage still: a crash would bring them back. */
  readStoredOutbox(limit: number, after?: OutboxPosition, maxBytes?: number): Promise<OutboxEntry[]>;

  /**
   * Where the keeper numbers the entries of all sources in one sequence (`order`), without holes but for writes that
   * failed: the newest number that it gave to an entry, cleared or not. Absent: it numbers those of each source.
   */
  newestOrder?(): number;

  /**
   * Forgets entries that were published. Unknown positions are ignored. Many at a time; may be late, never early. From
   * now on this store reads them no more; a keeper may take them out of the storage later, at the latest when it closes,
   * so that after a crash they are read again.
   */
  clearOutbox(positions: readonly OutboxPosition[]): Promise<void>;

  /** All filters of all applications, deleted ones that still have work to do included. */
  loadFilters(): Promise<SavedFilter[]>;

  /** The newest filter-set version (`newestVersionOf`) that a filter of each application ever had. */
  filterSetVersions(): Promise<Map<string, number>>;

  /**
   * Writes filters, each with its outbox entry in one atomic step. Results in their places: `conflict` when the stored
   * filter has not the expected revision (0: no such filter), `name-taken` when another filter of the application that is
   * not deleted has the name.
   *
   * @param after of a store with {@link replication}: how many changes the caller knows; where there were more, nothing is
   *   written any more, and the results are `behind`
   */
  commitFilters(writes: readonly FilterWrite[], after?: number): Promise<FilterCommitResult[]>;

  /** Removes a deleted filter for good, but not its outbox entries. Unknown: nothing happens. */
  removeFilter(application: string, id: string): Promise<void>;

  /** Forgets all memberships under a number that no filter has any more. May take long, in small steps; safe to repeat. */
  dropMemberships(application: string, filterNumber: number): Promise<void>;

  /** A stored task, or `undefined`. */
  getTask(id: string): Promise<StoredTask | undefined>;
  /** Writes a task, new or again. One that is complete stays so: what is not is not written over it. */
  putTask(task: StoredTask): Promise<void>;
  /** Tasks that are not complete. */
  openTasks(): Promise<StoredTask[]>;
  /** Removes complete tasks that were created before a date; answers how many. */
  expireTasks(createdBeforeMs: number): Promise<number>;

  /** What a request under an idempotency key was answered, or `undefined`. */
  getAnswer(id: string): Promise<KeyedAnswer | undefined>;
  /** Keeps an answer unless there is one under its id. Resolves with the one that is there then. */
  putAnswer(answer: KeyedAnswer): Promise<KeyedAnswer>;
  /** About how many answers are kept; no scan. */
  countAnswers(): Promise<number>;
  /** Forgets answers that were given before a date; resolves with how many. In small steps; no scan. */
  expireAnswers(createdBeforeMs: number): Promise<number>;

  /** A random secret of this installation (32 bytes), made at the first call and the same ever after, for every replica. */
  secret(name: string): Promise<Uint8Array>;

  /** A text of this installation, the same for every replica; `undefined` when there is none of that name. */
  getText(name: string): Promise<string | undefined>;
  /** Writes one, new or again; up to some megabytes. */
  putText(name: string, text: string): Promise<void>;
  /** Texts whose names begin so, by name (of its code points), of those behind `after`; at most `limit`. */
  listTexts(prefix: string, limit: number, after?: string): Promise<{ name: string; text: string }[]>;
  /** Forgets one. Unknown: nothing happens. */
  removeText(name: string): Promise<void>;

  /** Resolves when the storage answers. */
  ping(): Promise<void>;
  /** Ends after what is under way; later calls reject. */
  close(): Promise<void>;
}

/** Of a store, what publishing its outbox takes. */
export type OutboxToPublish = Pick<Store, 'readOutbox' | 'readStoredOutbox' | 'clearOutbox'>;

export class StorageUnavailable extends Error {
  override readonly name = 'StorageUnavailable';
}

export interface RecordWrite {
  endpointId: string;
  expected: Guard;
  /** the new stored form: a record, or a tombstone */
  record: Uint8Array;
  /** registration, unregistration or another version: the record's place in lists, or its token, changes */
  moved: boolean;
  /** filters it becomes and ceases to be a member of; disjoint. An unregistration names all that it leaves. */
  matched: readonly number[];
  unmatched: readonly number[];
  /**
   * Metadata keys that it adds, updates and removes; must name all of them, and added and removed ones exactly. Absent:
   * none, or it is `moved`, where a keeper compares the records.
   */
  keys?: MetadataDiff;
  /** an outbox entry (`encodeEvents`); absent: no events are due */
  events?: Uint8Array;
}

export type CommitResult =
  | { kind: 'written'; outbox?: OutboxPosition; previous?: number }
  | { kind: 'conflict' }
  | { kind: 'token-taken' }
  | { kind: 'rejected'; message: string };

export interface FilterWrite {
  filter: SavedFilter;
  expectedRevision: number;
  events?: Uint8Array;
}

export type FilterCommitResult =
  | {
      kind: 'written';
      outbox?: OutboxPosition;
      /** with {@link Store.replication}: the change that it became a part of */
      change?: number;
    }
  | { kind: 'conflict' }
  | { kind: 'name-taken' }
  | { kind: 'behind' };

export interface RelationsWrite {
  tenant: string;
  expectedRevision: number;
  /** not there as of the expected revision */
  link: readonly Relation[];
  /** there as of the expected revision */
  unlink: readonly Relation[];
  /**
   * outbox entries (`encodeEvents`) of one event each, whose source is `relationSourceOf(tenant)` and whose revisions
   * are `relationEventRevision(expectedRevision + 1, place)`
   */
  events: readonly Uint8Array[];
}

export type RelationsCommitResult =
  | { kind: 'written'; outbox: OutboxPosition[] }
  | { kind: 'conflict' }
  | { kind: 'rejected'; message: string };

export interface RelationQuery {
  tenant: string;
  end: RelationEnd;
  direction: RelationDirection;
  /** links passed over before the page; not with `after` */
  offset: number;
  limit: number;
  /** start right after this other end, at a cost that does not grow with depth */
  after?: RelationEnd;
}

export interface RelationPage {
  ends: RelationEnd[];
  /** all links of the end in this direction */
  total: number;
  /** where the next page starts; absent at the end */
  next?: RelationEnd;
}

/** Names one outbox entry. `order` grows from entry to entry of one source. */
export interface OutboxPosition {
  source: string;
  order: number;
}

export interface OutboxEntry {
  position: OutboxPosition;
  /** `decodeEvents` reads it */
  events: Uint8Array;
  /** Whoever has an entry of the source of this order, or a later one, has all before this one; 0: there is none before it. */
  previous?: number;
}

/** Which records: all that fit every part that is given. */
export interface Scope {
  tenant?: string;
  application?: string;
  version?: string;
  /** number of a filter: its members; needs `application` */
  filterNumber?: number;
}

export interface RecordQuery {
  scope: Scope;
  /** only these endpoints */
  endpointIds?: readonly string[];
  /** a filter-language query that must hold */
  where?: Query;
  /**
   * A further test, made here on each record that fits the rest; makes the whole a scan. Without a total it is asked once
   * about each record, in the order of the page, until the page and one more are found.
   */
  test?: (record: Uint8Array) => boolean;
  /** ties of `createdDate` are ordered by endpoint id, ascending */
  sort: { by: 'createdDate' | 'endpointId'; direction: 'asc' | 'desc' };
  /** records passed over before the page; not with `after` */
  offset: number;
  limit: number;
  /** start right after this place, at a cost that does not grow with depth */
  after?: PagePlace;
  /** whether `total` is wanted */
  withTotal: boolean;
}

/** A place in an ordered list: the sort keys of the last record of a page. */
export interface PagePlace {
  createdMs: number;
  endpointId: string;
}

export interface RecordPage {
  records: Uint8Array[];
  /** all that fit, without paging; absent when not asked for */
  total?: number;
  /** where the next page starts; absent at the end */
  next?: PagePlace;
  /** what was looked at; absent where a keeper can't know */
  read?: ReadEffort;
}

export interface StalePage {
  records: Uint8Array[];
  passed: number;
  next?: string;
}

/** A recalculation, for a later process to go on with: it walks over the records by endpoint id, around and around. */
export interface StoredPass {
  /** `next` of the last page whose records were evaluated; absent: it is at the beginning */
  after?: string;
  /** by age */
  rounds: StoredRound[];
  /** for other processes to tell how far it is: the records there were, when they were counted last */
  total?: number;
  /** records that are evaluated in a second of late; absent: not known */
  perSecond?: number;
}

/** Filters that are evaluated, from one place on until the walk comes there again. */
export interface StoredRound {
  /** the newest of their numbers */
  target: number;
  /** the place; absent: the beginning */
  from?: string;
  /** how many records were evaluated against them */
  evaluated: number;
  /** whether the walk began anew since */
  hasTurned: boolean;
  /** whether no record since was found that had been evaluated with an older filter set */
  isClean: boolean;
}

export interface IndexedCount {
  count: number;
  index: string;
  /** absent where a keeper can't know */
  entries?: number;
}

/** How much a keeper looked at to answer. */
export interface ReadEffort {
  /** lists and indexes that it went along */
  by: readonly string[];
  /** records that it read */
  records: number;
  /** entries of lists and indexes that it read one by one */
  entries: number;
  /** entries that it only counted */
  counted: number;
}

/** What a request was answered, so that the same one can be answered so again. */
export interface KeyedAnswer {
  /** of whose key it is, and which key */
  id: string;
  createdMs: number;
  /** of what was asked: the same key with something else is refused */
  fingerprint: string;
  /** the caller's own form */
  answer: string;
}

/** A task that outlives the process, as JSON texts. */
export interface StoredTask {
  id: string;
  application: string;
  createdMs: number;
  complete: boolean;
  /** what is to be done; the register's own form */
  body: string;
}
