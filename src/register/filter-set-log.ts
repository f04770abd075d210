import type { SavedFilter } from '../model/filter.js';
import {
  type FilterSetChange,
  type FilterSetsUpdate,
  type FilterSetSource,
  queryWeightOf,
} from '../workers/index.js';

/** How many changes are kept beyond those that a fresh copy of the state would need. */
const SPARE_CHANGES = 1000;

/** The filter sets as the workers must have them, and how a worker gets from what it has to that. */
export interface FilterSetLog extends FilterSetSource {
  /** A filter as it now stands, and the application's filter-set version. */
  put(filter: SavedFilter, version: number): void;
  remove(application: string, filterNumber: number, version: number): void;
  /** Every record was evaluated with the filters up to this number, as is the case where nobody else writes. */
  settle(application: string, upTo: number, version: number): void;
}

export function createFilterSetLog(): FilterSetLog {
  const current = new Map<string, FilterSetChange>();
  let log: FilterSetChange[] = [];
  /** epoch before the first change of the log */
  let base = 0;
  let queryWeight = 0;
  const epoch = () => base + log.length;

  const record = (change: FilterSetChange) => {
    const key = `${change.application}/${change.kind === 'settled' ? 'settled' : change.number}`;
    // delete first, so that the order of `current` is that of the newest changes, and versions grow along it
    queryWeight += weightOf(change) - weightOf(current.get(key));
    current.delete(key);
    if (change.kind !== 'remove') current.set(key, change);
    log.push(change);
    if (log.length > 2 * current.size + SPARE_CHANGES) {
      base += log.length;
      log = [];
    }
  };

  return {
    get epoch() {
      return epoch();
    },
    get queryWeight() {
      return queryWeight;
    },
    put: (filter, version) =>
      record({
        kind: 'put',
        application: filter.application,
        version,
        number: filter.number,
        filterId: filter.id,
        filterName: filter.name,
        active: filter.status === 'active',
        queryText: filter.queryText,
      }),
    remove: (application, number, version) => record({ kind: 'remove', application, version, number }),
    settle(application, upTo, version) {
      const known = current.get(`${application}/settled`);
      if (known?.kind !== 'settled' || known.upTo !== upTo)
        record({ kind: 'settled', application, version, upTo });
    },
    updateSince(from): FilterSetsUpdate {
      if (from >= base) return { from, to: epoch(), changes: log.slice(from - base) };
      return { from: -1, to: epoch(), changes: [...current.values()] };
    },
  };
}

function weightOf(change: FilterSetChange | undefined): number {
  return change?.kind === 'put' ? queryWeightOf(change.queryText) : 0;
}
