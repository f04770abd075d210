import { DocumentView } from './document-view.js';
import type { FilterDocument, Query } from './query.js';

/** One application's filters, pending and active alike. */
export interface FilterSet {
  /** number of filters */
  readonly size: number;
  /** Adds a filter; one of the same number is replaced. O(keys of the query + log(filters with an equal query)). */
  add(filterNumber: number, query: Query): void;
  /** Removes a filter; an unknown number is no error. Costs as `add`. */
  remove(filterNumber: number): void;
  /**
   * Numbers of all filters that match, ascending: for registrations and recalculation. Evaluates each distinct query
   * once.
   * @param since only filters with a number greater than this
   */
  matchAll(doc: FilterDocument, since?: number): number[];
  /**
   * Filters whose truth differs between two documents of one endpoint, ascending.
   *
   * Cost: two evaluations for each distinct query that names a changed key, or depends on any key, or on the version
   * when it changed; filters that name none of them cost nothing.
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

/** Filters with equal queries: evaluated once. */
interface Group {
  readonly text: string;
  readonly query: Query;
  /** ascending */
  readonly numbers: number[];
  /** the search that last saw it, so that one that depends on several changed keys is seen once */
  seenBy: number;
}

export function createFilterSet(): FilterSet {
  const groupOfNumber = new Map<number, Group>();
  const groupOfText = new Map<string, Group>();
  const groupsOfKey = new Map<string, Set<Group>>();
  const groupsOfAnyKey = new Set<Group>();
  const groupsOfVersion = new Set<Group>();
  const groupsOfId = new Set<Group>();
  let searches = 0;

  function add(filterNumber: number, query: Query): void {
    remove(filterNumber);
    // The order of keys counts in sub-documents, so that equal text, not equal JSON, is what makes queries equal.
    const text = JSON.stringify(query.source);
    let group = groupOfText.get(text);
    if (group === undefined) {
      group = { text, query, numbers: [], seenBy: 0 };
      groupOfText.set(text, group);
      listGroup(group);
    }
    group.numbers.splice(countUpTo(group.numbers, filterNumber), 0, filterNumber);
    groupOfNumber.set(filterNumber, group);
  }

  function remove(filterNumber: number): void {
    const group = groupOfNumber.get(filterNumber);
    if (group === undefined) return;
    groupOfNumber.delete(filterNumber);
    group.numbers.splice(countUpTo(group.numbers, filterNumber) - 1, 1);
    if (group.numbers.length > 0) return;
    groupOfText.delete(group.text);
    unlistGroup(group);
  }

  function listGroup(group: Group): void {
    const { keys, usesVersion, usesId } = group.query;
    if (usesVersion) groupsOfVersion.add(group);
    if (usesId) groupsOfId.add(group);
    if (keys === null) groupsOfAnyKey.add(group);
    else {
      for (const key of keys) {
        const groups = groupsOfKey.get(key);
        if (groups === undefined) groupsOfKey.set(key, new Set([group]));
        else groups.add(group);
      }
    }
  }

  function unlistGroup(group: Group): void {
    groupsOfVersion.delete(group);
    groupsOfId.delete(group);
    groupsOfAnyKey.delete(group);
    for (const key of group.query.keys ?? []) {
      const groups = groupsOfKey.get(key);
      groups?.delete(group);
      if (groups?.size === 0) groupsOfKey.delete(key);
    }
  }

  function matchAll(doc: FilterDocument, since = -Infinity): number[] {
    const view = new DocumentView(doc);
    const found: number[] = [];
    for (const { query, numbers } of groupOfText.values()) {
      const from = countUpTo(numbers, since);
      if (from === numbers.length || !query.matches(view)) continue;
      for (let i = from; i < numbers.length; i++) found.push(numbers[i]!);
    }
    return found.sort(ascending);
  }

  function findFlips(
    before: FilterDocument,
    after: FilterDocument,
    changedKeys: readonly string[],
    upTo = Infinity,
  ): { matched: number[]; unmatched: number[] } {
    const matched: number[] = [];
    const unmatched: number[] = [];
    const former = new DocumentView(before);
    const latter = new DocumentView(after);
    const search = ++searches;

    function examine(groups: ReadonlySet<Group> | undefined): void {
      if (groups === undefined) return;
      for (const group of groups) {
        if (group.seenBy === search) continue;
        group.seenBy = search;
        const { query, numbers } = group;
        if (numbers[0]! > upTo) continue;
        const isMatch = query.matches(latter);
        if (isMatch === query.matches(former)) continue;
        const flipped = isMatch ? matched : unmatched;
        for (let i = 0; i < numbers.length && numbers[i]! <= upTo; i++) flipped.push(numbers[i]!);
      }
    }

    for (const key of changedKeys) examine(groupsOfKey.get(key));
    if (changedKeys.length > 0) examine(groupsOfAnyKey);
    if (before.applicationVersion !== after.applicationVersion) examine(groupsOfVersion);
    if (before.endpointId !== after.endpointId) examine(groupsOfId);
    return { matched: matched.sort(ascending), unmatched: unmatched.sort(ascending) };
  }

  return {
    get size() {
      return groupOfNumber.size;
    },
    add,
    remove,
    matchAll,
    findFlips,
  };
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** How many of the ascending numbers are not greater than the limit. */
function countUpTo(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
