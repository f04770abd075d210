import type { SavedFilter } from '../model/filter.js';
import { SET_ASIDE } from './saved-queries.js';

/** All saved filters in memory, as the storage holds them; deleted ones are not there. */
export interface FilterIndex {
  byId(id: string): SavedFilter | undefined;
  /** by name, ascending. O(filters), and the sorting of those that came since the last call. */
  ofApplication(application: string): SavedFilter[];
  countOf(application: string): number;
  byName(application: string, name: string): SavedFilter | undefined;
  /** pending filters that are to be recalculated: those that are set aside are not among them */
  hasPending(application: string): boolean;
  pendingOf(application: string): SavedFilter[];
  /** The least number of those. O(1), but O(pending) after that one went. */
  oldestPending(application: string): number | undefined;
  /** of each application that has filters, or had some */
  counts(): { application: string; pending: number; active: number }[];
  /** ids of the active filters among these numbers; numbers of former queries are passed over */
  activeIds(application: string, numbers: readonly number[]): string[];
  put(filter: SavedFilter): void;
  remove(id: string): void;
}

interface ApplicationEntry {
  byId: Map<string, SavedFilter>;
  byName: Map<string, SavedFilter>;
  byNumber: Map<number, SavedFilter>;
  pending: Map<string, SavedFilter>;
  /** the least number of the pending ones, Infinity without any; undefined: it is to be looked for */
  oldest: number | undefined;
  active: number;
  /** names, ascending, as of the last list; names that went since are still there */
  sorted: string[];
  /** names that came since */
  added: Set<string>;
}

export function createFilterIndex(): FilterIndex {
  const all = new Map<string, SavedFilter>();
  const applications = new Map<string, ApplicationEntry>();

  const remove = (id: string) => {
    const filter = all.get(id);
    if (filter === undefined) return;
    const entry = applications.get(filter.application)!;
    all.delete(id);
    entry.byId.delete(id);
    entry.byNumber.delete(filter.number);
    if (entry.pending.delete(id) && filter.number === entry.oldest) entry.oldest = undefined;
    if (filter.status === 'active') entry.active--;
    // another filter may have taken the name over already
    if (entry.byName.get(filter.name) === filter) entry.byName.delete(filter.name);
  };

  return {
    byId: (id) => all.get(id),
    ofApplication(application) {
      const entry = applications.get(application);
      if (entry === undefined) return [];
      mergeNames(entry);
      return entry.sorted.map((name) => entry.byName.get(name)!);
    },
    countOf: (application) => applications.get(application)?.byId.size ?? 0,
    byName: (application, name) => applications.get(application)?.byName.get(name),
    hasPending: (application) => (applications.get(application)?.pending.size ?? 0) > 0,
    pendingOf: (application) => [...(applications.get(application)?.pending.values() ?? [])],
    oldestPending(application) {
      const entry = applications.get(application);
      if (entry === undefined || entry.pending.size === 0) return undefined;
      if (entry.oldest === undefined) {
        entry.oldest = Infinity;
        for (const { number } of entry.pending.values()) entry.oldest = Math.min(entry.oldest, number);
      }
      return entry.oldest;
    },
    counts: () =>
      Array.from(applications, ([application, { byId, active }]) => ({
        application,
        pending: byId.size - active,
        active,
      })),
    activeIds(application, numbers) {
      const byNumber = applications.get(application)?.byNumber;
      const ids: string[] = [];
      for (const number of numbers) {
        const filter = byNumber?.get(number);
        if (filter?.status === 'active') ids.push(filter.id);
      }
      return ids;
    },
    put(filter) {
      const isNew = all.get(filter.id)?.name !== filter.name;
      remove(filter.id);
      let entry = applications.get(filter.application);
      if (entry === undefined) {
        entry = {
          byId: new Map(),
          byName: new Map(),
          byNumber: new Map(),
          pending: new Map(),
          oldest: Infinity,
          active: 0,
          sorted: [],
          added: new Set(),
        };
        applications.set(filter.application, entry);
      }
      all.set(filter.id, filter);
      entry.byId.set(filter.id, filter);
      entry.byName.set(filter.name, filter);
      entry.byNumber.set(filter.number, filter);
      if (filter.status === 'active') entry.active++;
      if (filter.status === 'pending' && filter.number !== SET_ASIDE) {
        entry.pending.set(filter.id, filter);
        if (entry.oldest !== undefined) entry.oldest = Math.min(entry.oldest, filter.number);
      }
      if (isNew) entry.added.add(filter.name);
    },
    remove,
  };
}

/** Names that came are sorted and merged, and those that went are left out. */
function mergeNames(entry: ApplicationEntry): void {
  if (entry.added.size === 0 && entry.sorted.length === entry.byName.size) return;
  const added = [...entry.added].filter((name) => entry.byName.has(name)).sort();
  const merged: string[] = [];
  let next = 0;
  for (const name of entry.sorted) {
    if (!entry.byName.has(name) || entry.added.has(name)) continue;
    while (next < added.length && added[next]! < name) merged.push(added[next++]!);
    merged.push(name);
  }
  for (; next < added.length; next++) merged.push(added[next]!);
  entry.sorted = merged;
  entry.added.clear();
}
