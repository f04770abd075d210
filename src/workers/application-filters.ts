import { createFilterSet, type FilterReader, readFilterSet } from '../filters/index.js';
import type { FilterSetsUpdate } from './messages.js';

/** The filters of each application. */
export interface FilterSets {
  /** Those of an application; none when nobody has made any. */
  of(application: string): FilterReader;
}

/** The filter sets as a worker thread reads them, where the main thread writes. */
export interface HeldFilters extends FilterSets {
  /** what the thread was told last; -1: nothing */
  readonly epoch: number;
  /** Takes over what it was told. O(images). */
  update(update: FilterSetsUpdate): void;
}

export function holdFilters(): HeldFilters {
  const none = createFilterSet();
  const byApplication = new Map<string, FilterReader>();
  let epoch = -1;
  return {
    get epoch() {
      return epoch;
    },
    of: (application) => byApplication.get(application) ?? none,
    update(update) {
      for (const { application, buffer } of update.images)
        byApplication.set(application, readFilterSet(buffer));
      epoch = update.to;
    },
  };
}
