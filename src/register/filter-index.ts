import type { SavedFilter } from '../model/filter.js';

/** All saved filters in memory, as the storage holds them; deleted ones are not there. */
export interface FilterIndex {
  byId(id: string): SavedFilter | undefined;
  /** by name, ascending */
  ofApplication(application: string): SavedFilter[];
  countOf(application: string): number;
  byName(application: string, name: string): SavedFilter | undefined;
  pendingOf(application: string): SavedFilter[];
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
  /** by name; made when asked for, dropped when a filter comes, goes or is renamed */
  sorted?: SavedFilter[] | undefined;
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
    entry.byName.delete(filter.name);
    entry.byNumber.delete(filter.number);
    entry.pending.delete(id);
    entry.sorted = undefined;
  };

  return {
    byId: (id) => all.get(id),
    ofApplication(application) {
      const entry = applications.get(application);
      if (entry === undefined) return [];
      entry.sorted ??= [...entry.byId.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      return entry.sorted;
    },
    countOf: (application) => applications.get(application)?.byId.size ?? 0,
    byName: (application, name) => applications.get(application)?.byName.get(name),
    pendingOf: (application) => [...(applications.get(application)?.pending.values() ?? [])],
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
      remove(filter.id);
      let entry = applications.get(filter.application);
      if (entry === undefined) {
        entry = { byId: new Map(), byName: new Map(), byNumber: new Map(), pending: new Map() };
        applications.set(filter.application, entry);
      }
      all.set(filter.id, filter);
      entry.byId.set(filter.id, filter);
      entry.byName.set(filter.name, filter);
      entry.byNumber.set(filter.number, filter);
      if (filter.status === 'pending') entry.pending.set(filter.id, filter);
      entry.sorted = undefined;
    },
    remove,
  };
}
