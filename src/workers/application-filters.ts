import { createFilterSet, type FilterSet, parseSavedQuery } from '../filters/index.js';
import type { FilterSetsUpdate } from './messages.js';

/** The filters of one application, as a worker holds them. */
export interface ApplicationFilters {
  /** filter-set version: records evaluated with this set carry it */
  version: number;
  /** filter-set version that every record was evaluated with, even where it carries an older one */
  settled: number;
  set: FilterSet;
  /** what events need to know of a filter, by number */
  known: Map<number, KnownFilter>;
}

export interface KnownFilter {
  id: string;
  name: string;
  /** only active filters have events */
  active: boolean;
}

/** The filter sets of all applications as of one epoch. */
export interface HeldFilters {
  /** -1: none */
  epoch: number;
  byApplication: Map<string, ApplicationFilters>;
}

export function holdNoFilters(): HeldFilters {
  return { epoch: -1, byApplication: new Map() };
}

/** Brings the held sets to `update.to`; an update that starts after where they stand does nothing. O(changes). */
export function applyUpdate(held: HeldFilters, update: FilterSetsUpdate): void {
  if (update.from > held.epoch) return;
  if (update.from === -1) held.byApplication.clear();
  for (const change of update.changes) {
    const filters = filtersOf(held, change.application);
    filters.version = change.version;
    if (change.kind === 'settled') {
      filters.settled = change.upTo;
      continue;
    }
    const known = filters.known.get(change.number);
    if (change.kind === 'remove') {
      if (known !== undefined) filters.set.remove(change.number);
      filters.known.delete(change.number);
    } else {
      if (known === undefined) filters.set.add(change.number, parseSaved(change.queryText));
      filters.known.set(change.number, {
        id: change.filterId,
        name: change.filterName,
        active: change.active,
      });
    }
  }
  held.epoch = update.to;
}

/** The filters of an application; made empty when there are none. */
export function filtersOf(held: HeldFilters, application: string): ApplicationFilters {
  let filters = held.byApplication.get(application);
  if (filters === undefined) {
    filters = { version: 0, settled: 0, set: createFilterSet(), known: new Map() };
    held.byApplication.set(application, filters);
  }
  return filters;
}

function parseSaved(queryText: string) {
  const parsed = parseSavedQuery(queryText);
  if (!parsed.ok)
    throw new Error(
      `A saved filter can not be read any more: ${parsed.faults[0]?.message} (${queryText.slice(0, 200)})`,
    );
  return parsed.query;
}
