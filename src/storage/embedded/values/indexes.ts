import { createdOf, isTombstone, metadataOf } from '../../../model/record.js';
import type { PagePlace } from '../../port.js';
import type { Changes } from '../draft.js';
import { newestFirst } from '../places.js';
import { isKey, listOf, type Tables } from '../tables.js';
import type { Writer } from '../writer.js';
import { canBeIndexed, type NamedIndex, putDropped, putIndex, readCatalog } from './catalog.js';
import { headOf, Space } from './entries.js';
import { changeEntries, type Indexed } from './maintain.js';

/** Indexes of the values of metadata keys: made for keys that are queried, kept with each write. */
export interface ValueIndexes {
  /** Whether a change of one of these keys, in whatever application, could change an index. Nearly free when there is none. */
  concern(keys: readonly string[]): boolean;
  /** Whether there is any index, of whatever application. */
  readonly any: boolean;
  /**
   * Plans what a change of a record changes in the indexes of its application.
   * @param keys that changed; absent: any
   */
  follow(
    changes: Changes,
    application: string,
    endpointId: string,
    old: Indexed | undefined,
    next: Indexed | undefined,
    keys?: readonly string[],
  ): void;
  /** An index served a query. */
  used(application: string, key: string): void;
  /** A query read so many records, and has no index of these keys. When they were many, the keys get one, in the background. */
  lacked(application: string, keys: readonly string[], records: number): void;
  /** Ends after the step under way; what is not done goes on after the next start. */
  close(): Promise<void>;
}

/** Beyond it, the least recently used one goes. */
const MOST_OF_APPLICATION = 64;
/** Records that a query may read without its keys being given an index. */
const MOST_SCANNED = 1000;
/** Applications that wait for indexes; what others query is told again by their next query. */
const MOST_WANTED = 100;
/** Keys that one query may get an index for. */
const WANTED_AT_ONCE = 8;
/** Records that one transaction of a building reads: some ms, during which writes wait. */
const BUILD_STEP = 250;
const DROP_STEP = 2000;

export interface ValueIndexOptions {
  buildStep?: number | undefined;
  mostScanned?: number | undefined;
  now?: () => number;
}

export function openValueIndexes(
  tables: Tables,
  writer: Writer,
  options: ValueIndexOptions = {},
): ValueIndexes {
  const { buildStep = BUILD_STEP, mostScanned = MOST_SCANNED, now = Date.now } = options;
  const stored = readCatalog(tables);
  const live = new Map<string, Map<string, NamedIndex>>();
  /** how many indexes a key has, in all applications */
  const named = new Map<string, number>();
  const dropped = new Set(stored.dropped);
  const wanted = new Map<string, Set<string>>();
  let newest = 0;
  for (const index of stored.live) add(index);
  for (const number of dropped) newest = Math.max(newest, number);
  let closed = false;
  let working: Promise<void> | undefined;

  function add(index: NamedIndex): void {
    const ofApplication = live.get(index.application) ?? new Map<string, NamedIndex>();
    live.set(index.application, ofApplication);
    ofApplication.set(index.key, index);
    named.set(index.key, (named.get(index.key) ?? 0) + 1);
    newest = Math.max(newest, index.number);
  }

  function forget({ application, key }: NamedIndex): void {
    live.get(application)!.delete(key);
    if (live.get(application)!.size === 0) live.delete(application);
    const left = named.get(key)! - 1;
    if (left === 0) named.delete(key);
    else named.set(key, left);
  }

  /** What is to be done is found in memory, so that it goes on with whatever there is after a fault or a start. */
  function work(): void {
    if (closed || working !== undefined) return;
    working = (async () => {
      while (!closed && (await step()));
    })()
      // The next write is told what is wrong with the storage; here it is tried again with the next want or start.
      .catch(() => undefined)
      .finally(() => (working = undefined));
  }

  async function step(): Promise<boolean> {
    for (const indexes of live.values())
      for (const index of indexes.values())
        if (!index.ready) {
          await build(index);
          return true;
        }
    for (const [application, keys] of wanted) {
      const [key] = keys;
      if (key === undefined) {
        wanted.delete(application);
        continue;
      }
      keys.delete(key);
      await create(application, key);
      return true;
    }
    for (const number of dropped) {
      await removeEntries(number);
      return true;
    }
    return false;
  }

  async function create(application: string, key: string): Promise<void> {
    const present = live.get(application);
    if (present?.has(key)) return;
    const index: NamedIndex = { application, key, number: ++newest, ready: false, usedMs: now() };
    const over = (present?.size ?? 0) < MOST_OF_APPLICATION ? undefined : leastUsed(present!);
    // Writes that are planned after this transaction follow the new index: memory changes with it.
    try {
      await writer.transact((changes) => {
        if (over) putDropped(changes, over);
        for (const other of present?.values() ?? []) if (other !== over) putIndex(changes, other);
        putIndex(changes, index);
        if (over) {
          forget(over);
          dropped.add(over.number);
        }
        add(index);
      });
    } catch (error) {
      if (live.get(application)?.get(key) === index) forget(index);
      if (over && live.get(application)?.get(over.key) !== over) {
        dropped.delete(over.number);
        add(over);
      }
      throw error;
    }
  }

  /** One step of an index: the next records of the application's list. Newer ones come by their own writes. */
  async function build(index: NamedIndex): Promise<void> {
    const { application, key } = index;
    const built = await writer.transact((changes) => {
      const places = placesFrom(index);
      for (const place of places) {
        const record = tables.records.getBinary(place.endpointId);
        if (record === undefined || isTombstone(record)) continue;
        const next = { createdMs: createdOf(record), metadata: metadataOf(record) };
        changeEntries(changes, index, place.endpointId, undefined, next);
      }
      const ready = places.length < buildStep;
      const progress = { application, key, number: index.number, usedMs: index.usedMs, ready };
      const state: NamedIndex = ready ? progress : { ...progress, after: places.at(-1)! };
      putIndex(changes, state);
      return state;
    });
    if (built.after === undefined) delete index.after;
    else index.after = built.after;
    index.ready = built.ready;
  }

  function placesFrom({ application, after }: NamedIndex): PagePlace[] {
    const places: PagePlace[] = [];
    for (const place of newestFirst(tables, undefined, listOf.application(application), after))
      if (places.push(place) === buildStep) break;
    return places;
  }

  async function removeEntries(number: number): Promise<void> {
    const left = await writer.transact((changes) => {
      const range = {
        start: headOf(number, Space.own),
        end: headOf(number + 1, Space.own),
        limit: DROP_STEP,
      };
      const keys = [...tables.values.getKeys(range)];
      for (const key of keys) changes.remove('values', key);
      if (keys.length < DROP_STEP) changes.remove('valueIndexes', number);
      return keys.length === DROP_STEP;
    });
    if (!left) dropped.delete(number);
  }

  work();
  return {
    concern: (keys) => named.size > 0 && keys.some((key) => named.has(key)),
    get any() {
      return live.size > 0;
    },
    follow(changes, application, endpointId, old, next, keys) {
      const indexes = live.get(application);
      if (indexes === undefined) return;
      if (keys === undefined)
        for (const index of indexes.values()) changeEntries(changes, index, endpointId, old, next);
      else
        for (const key of keys) {
          const index = indexes.get(key);
          if (index) changeEntries(changes, index, endpointId, old, next);
        }
    },
    used(application, key) {
      const index = live.get(application)?.get(key);
      if (index) index.usedMs = now();
    },
    lacked(application, keys, records) {
      if (closed || records <= mostScanned || !isKey(application) || wanted.size > MOST_WANTED) return;
      const fresh = keys
        .slice(0, WANTED_AT_ONCE)
        .filter((key) => canBeIndexed(key) && !live.get(application)?.has(key));
      if (fresh.length === 0) return;
      wanted.set(application, new Set([...(wanted.get(application) ?? []), ...fresh]));
      work();
    },
    async close() {
      closed = true;
      await working;
    },
  };
}

function leastUsed(indexes: ReadonlyMap<string, NamedIndex>): NamedIndex {
  return [...indexes.values()].reduce((a, b) => (b.usedMs < a.usedMs ? b : a));
}
