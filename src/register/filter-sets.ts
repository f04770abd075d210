import { createFilterSet, type FilterReader, type FilterSet, type Query } from '../filters/index.js';
import type { SavedFilter } from '../model/filter.js';
import type { FilterSetSource, FilterSetsUpdate } from '../workers/index.js';

/**
 * The filter sets of all applications: written here, in place, while no batch is under way; read by this thread and by
 * the workers in the same memory. What workers are told of is memory that they do not have yet.
 */
export interface FilterSets extends FilterSetSource {
  /** A filter as it now stands, with its query when the filter is new, and the application's filter-set version. */
  put(filter: SavedFilter, version: number, query: () => Query): void;
  remove(application: string, filterNumber: number, version: number): void;
  /** The application's filter-set version, where no filter of it changes. */
  reach(application: string, version: number): void;
  /** Every record of the application was evaluated with the filters up to a number, whatever the records carry. */
  settle(application: string, upTo: number, version: number): void;
  /** Lets each set look at so many queries for a better way to find them, as documents have shown. */
  reconsider(queries: number): void;
  /** Bytes of all sets. */
  readonly bytes: number;
}

interface Entry {
  set: FilterSet;
  buffer: SharedArrayBuffer;
  /** the epoch that brought the buffer */
  since: number;
}

export function createFilterSets(): FilterSets {
  const entries = new Map<string, Entry>();
  const none: FilterReader = createFilterSet();
  let epoch = 0;

  /** Changes a set, and notes when it has moved. */
  function change(application: string, version: number, make: (set: FilterSet) => void): void {
    let entry = entries.get(application);
    if (entry === undefined) {
      const set = createFilterSet();
      entry = { set, buffer: set.buffer, since: ++epoch };
      entries.set(application, entry);
    }
    const { set } = entry;
    make(set);
    set.advance({ version });
    if (set.buffer === entry.buffer) return;
    entry.buffer = set.buffer;
    entry.since = ++epoch;
  }

  return {
    get epoch() {
      return epoch;
    },
    get bytes() {
      let bytes = 0;
      for (const { buffer } of entries.values()) bytes += buffer.byteLength;
      return bytes;
    },
    of: (application) => entries.get(application)?.set ?? none,
    put(filter, version, query) {
      const { id, name, number, status, told } = filter;
      const named = { id, name, active: status === 'active' || told === true };
      change(filter.application, version, (set) => {
        if (!set.rename(number, named)) set.add(number, query(), named);
      });
    },
    remove: (application, number, version) => change(application, version, (set) => set.remove(number)),
    reach(application, version) {
      if ((entries.get(application)?.set.version ?? 0) < version)
        change(application, version, () => undefined);
    },
    settle: (application, upTo, version) =>
      change(application, version, (set) => set.advance({ settled: upTo })),
    reconsider(queries) {
      for (const [application, { set }] of entries)
        change(application, set.version, () => set.reconsider(queries));
    },
    updateSince(from): FilterSetsUpdate {
      const images = [...entries]
        .filter(([, { since }]) => since > from)
        .map(([application, { buffer }]) => ({ application, buffer }));
      return { to: epoch, images };
    },
  };
}
