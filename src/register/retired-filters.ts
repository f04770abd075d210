import { randomUUID } from 'node:crypto';
import type { SavedFilter } from '../model/filter.js';
import type { Store } from '../storage/index.js';
import type { FilterChanges } from './filter-changes.js';
import type { FilterIndex } from './filter-index.js';

/** Filters with former queries, or deleted ones, whose memberships are to be dropped. */
export interface RetiredFilters {
  add(filters: readonly SavedFilter[]): void;
  readonly size: number;
  /** Drops all there are, or what is under way when it is told to stop. Rejects when the storage does, and may be called again. */
  drop(stopping: AbortSignal): Promise<void>;
}

export interface RetiredFiltersDeps {
  store: Store;
  index: FilterIndex;
  changes: FilterChanges;
  now: () => number;
}

/** Filters that are cleaned up at a time. */
const AT_ONCE = 32;

export function createRetiredFilters({ store, index, changes, now }: RetiredFiltersDeps): RetiredFilters {
  /** by id, as they stood last */
  const retired = new Map<string, SavedFilter>();

  async function dropOne(filter: SavedFilter): Promise<void> {
    for (const number of filter.retired) await store.dropMemberships(filter.application, number);
    if (filter.deletedMs !== undefined) await store.removeFilter(filter.application, filter.id);
    else await forget(filter);
    if (retired.get(filter.id) === filter) retired.delete(filter.id);
  }

  async function forget(filter: SavedFilter): Promise<void> {
    const dropped = new Set(filter.retired);
    await changes.make<null>({
      decide: () => {
        const present = index.byId(filter.id);
        if (present === undefined) return { answer: null };
        const left = present.retired.filter((number) => !dropped.has(number));
        if (left.length === present.retired.length) return { answer: null };
        // not a change that anybody sees: the revision stays
        const cause = { correlationId: randomUUID(), timestampMs: now() };
        const write = { ...present, retired: left };
        return { write, expectedRevision: present.revision, cause, answer: null };
      },
    });
  }

  return {
    add(filters) {
      for (const filter of filters) if (filter.retired.length > 0) retired.set(filter.id, filter);
    },
    get size() {
      return retired.size;
    },
    async drop(stopping) {
      while (retired.size > 0 && !stopping.aborted) {
        const some = [...take(retired.values(), AT_ONCE)];
        await Promise.all(some.map(dropOne));
      }
    },
  };
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === most) return;
    yield item;
  }
}
