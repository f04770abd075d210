import type { PagePlace } from '../port.js';
import { nameOf, type FilterMove } from './filter-moves.js';
import { comparePlaces, newestFirst, oldestFirst } from './places.js';
import { countIn, entryOf, type List, type Tables, type View } from './tables.js';

/** The lists of records as they are in a view: of filters, with the moves that are not in their tables yet. */
export interface Lists {
  /** how many entries it has */
  count(list: List): number;
  has(list: List, place: PagePlace): boolean;
  /** Ids ascend within a date, in both directions. O(log n) to begin, then O(1) each. */
  newestFirst(list: List, after?: PagePlace): Iterable<PagePlace>;
  oldestFirst(list: List, after?: PagePlace): Iterable<PagePlace>;
}

/** Moves of a filter's list that are not in its table in a view. */
export type PendingMoves = (application: string, filterNumber: number) => readonly FilterMove[];

export function listsIn(tables: Tables, view: View, pending: PendingMoves): Lists {
  /** the last move of each place that has one */
  const known = new WeakMap<List, Map<string, FilterMove>>();

  /** Undefined: the table has all of it. */
  function moved(list: List): Map<string, FilterMove> | undefined {
    const [kind, application, filterNumber] = list as [string, string, number];
    if (kind !== 'f') return undefined;
    let last = known.get(list);
    if (last === undefined) {
      last = new Map(pending(application, filterNumber).map((move) => [nameOf(move), move]));
      known.set(list, last);
    }
    return last.size === 0 ? undefined : last;
  }

  return {
    count(list) {
      const [kind, application, filterNumber] = list as [string, string, number];
      const stored = countIn(tables, list, view);
      return kind === 'f' ? pending(application, filterNumber).reduce((n, { by }) => n + by, stored) : stored;
    },
    has(list, place) {
      const move = moved(list)?.get(nameOf(place));
      if (move) return move.by > 0;
      const entry = entryOf(list, place.createdMs, place.endpointId);
      return tables.lists.getBinaryFast(entry, { transaction: view }) !== undefined;
    },
    newestFirst: (list, after) => merge(newestFirst(tables, view, list, after), moved(list), 'desc', after),
    oldestFirst: (list, after) => merge(oldestFirst(tables, view, list, after), moved(list), 'asc', after),
  };
}

function merge(
  stored: Iterable<PagePlace>,
  moved: Map<string, FilterMove> | undefined,
  direction: 'asc' | 'desc',
  after: PagePlace | undefined,
): Iterable<PagePlace> {
  if (moved === undefined) return stored;
  const compare = comparePlaces('createdDate', direction);
  const entered = [...moved.values()]
    .filter((move) => move.by > 0 && (!after || compare(after, move) < 0))
    .sort(compare);
  return mergeSorted(stored, moved, entered, compare);
}

function* mergeSorted(
  stored: Iterable<PagePlace>,
  moved: ReadonlyMap<string, FilterMove>,
  entered: readonly PagePlace[],
  compare: (a: PagePlace, b: PagePlace) => number,
): Generator<PagePlace> {
  let next = 0;
  for (const place of stored) {
    while (next < entered.length && compare(entered[next]!, place) < 0) yield entered[next++]!;
    if (!moved.has(nameOf(place))) yield place;
  }
  while (next < entered.length) yield entered[next++]!;
}
