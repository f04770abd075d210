import { createFilterWriter } from './matching/filter-writer.js';
import { Image } from './matching/image.js';
import { type Flips, Matcher, type MatchingWork } from './matching/matcher.js';
import type { FilterDocument, Query } from './query.js';
import { FilterTable } from './matching/filter-table.js';

/** One application's filters, pending and active alike. See docs/matching.md. */
export interface FilterSet {
  /** number of filters */
  readonly size: number;
  /** bytes of the index, what is free in it included */
  readonly bytes: number;
  readonly work: Readonly<MatchingWork>;
  /** Adds a filter; one of the same number is replaced. O(conditions of the query). */
  add(filterNumber: number, query: Query): void;
  /** Removes a filter; an unknown number is no error. */
  remove(filterNumber: number): void;
  /**
   * Numbers of all filters that match, ascending: for registrations and recalculation.
   * @param since only filters with a number greater than this
   */
  matchAll(doc: FilterDocument, since?: number): number[];
  /**
   * Filters whose truth differs between two documents of one endpoint, ascending.
   * @param changedKeys metadata keys that were added, updated or removed; must name all of them
   * @param upTo only filters with a number not greater than this
   */
  findFlips(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
    upTo?: number,
  ): Flips;
}

export function createFilterSet(): FilterSet {
  const image = new Image();
  const writer = createFilterWriter(image);
  const matcher = new Matcher(image);
  const filters = new FilterTable(image);
  return {
    get size() {
      return filters.size;
    },
    get bytes() {
      return image.bytes;
    },
    work: matcher.work,
    add: (number, query) => writer.put(number, query, { id: '', name: '', active: true }),
    remove: (number) => writer.remove(number),
    matchAll: (doc, since = -Infinity) => matcher.matchAll(doc, since),
    findFlips: (before, after, changedKeys, upTo = Infinity) =>
      matcher.findFlips(before, after, changedKeys, upTo),
  };
}
