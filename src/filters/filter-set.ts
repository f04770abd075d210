import { createFilterWriter } from './matching/filter-writer.js';
import { type FilterName, FilterTable } from './matching/filter-table.js';
import { Header, Image } from './matching/image.js';
import type { MatchingBudget, MatchingWork } from './matching/decider.js';
import { Matcher } from './matching/matcher.js';
import type { SectionLimits } from './matching/postings.js';
import type { FilterDocument, Query } from './query.js';

/** One application's filters, pending and active alike, as one thread asks them. See docs/matching.md. */
export interface FilterReader {
  /** number of filters */
  readonly size: number;
  /** bytes of the index, what is free in it included */
  readonly bytes: number;
  /** filter-set version: records evaluated with this set carry it */
  readonly version: number;
  /** filter-set version that every record was evaluated with, even where it carries an older one */
  readonly settled: number;
  readonly work: Readonly<MatchingWork>;
  /**
   * What the next questions may cost, together; undefined: anything. When it is used up they throw `TooMuchWork`.
   * Several readers may be given the same.
   */
  budget: MatchingBudget | undefined;
  /** What events say of a filter. O(log n). */
  nameOf(filterNumber: number): FilterName | undefined;
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
  ): { matched: number[]; unmatched: number[] };
}

/** The filters as the one thread has them that changes them. While it does, no other may ask. */
export interface FilterSet extends FilterReader {
  /** what other threads read; another one when it had to grow */
  readonly buffer: SharedArrayBuffer;
  /** Adds a filter; one of the same number is replaced. O(conditions of the query), and O(log n) for each bound. */
  add(filterNumber: number, query: Query, name?: FilterName): void;
  /** Changes what events say of a filter; false: there is none of this number. */
  rename(filterNumber: number, name: FilterName): boolean;
  /** Removes a filter; an unknown number is no error. O(queries that share its conditions). */
  remove(filterNumber: number): void;
  /** Notes filter-set versions. */
  advance(versions: { version?: number; settled?: number }): void;
  /** Looks at so many queries whether documents have shown a better way to find them. */
  reconsider(queries: number): void;
}

const UNNAMED: FilterName = { id: '', name: '', active: true };

/** @param limits when long lists are divided; absent: as measured */
export function createFilterSet(limits?: SectionLimits): FilterSet {
  const image = new Image();
  const writer = createFilterWriter(image, limits);
  const set: Omit<FilterSet, keyof FilterReader> = {
    get buffer() {
      return image.buffer;
    },
    add: (number, query, name = UNNAMED) => writer.put(number, query, name),
    rename: (number, name) => writer.rename(number, name),
    remove: (number) => writer.remove(number),
    advance({ version, settled }) {
      if (version !== undefined) image.i32[Header.version] = version;
      if (settled !== undefined) image.i32[Header.settled] = settled;
    },
    reconsider: (queries) => writer.reconsider(queries),
  };
  // with its getters
  return Object.defineProperties(readerOf(image), Object.getOwnPropertyDescriptors(set)) as FilterSet;
}

/** A set that another thread has and changes, of which this is the buffer. */
export function readFilterSet(buffer: SharedArrayBuffer): FilterReader {
  return readerOf(new Image(buffer));
}

function readerOf(image: Image): FilterReader {
  const matcher = new Matcher(image);
  const filters = new FilterTable(image);
  return {
    get size() {
      return filters.size;
    },
    get bytes() {
      return image.bytes;
    },
    get version() {
      return image.i32[Header.version]!;
    },
    get settled() {
      return image.i32[Header.settled]!;
    },
    work: matcher.decider.work,
    get budget() {
      return matcher.decider.budget;
    },
    set budget(budget) {
      matcher.decider.budget = budget;
    },
    nameOf(number) {
      const record = filters.find(number);
      return record === 0 ? undefined : filters.nameOf(record);
    },
    matchAll: (doc, since = -Infinity) => matcher.matchAll(doc, since),
    findFlips: (before, after, changedKeys, upTo = Infinity) =>
      matcher.findFlips(before, after, changedKeys, upTo),
  };
}
