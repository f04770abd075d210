import type { PagePlace } from '../port.js';
import { comparePlaces } from './places.js';

/**
 * Which endpoints enter and leave the lists of filters, between the commit that decides it and the piece that writes
 * it to the lists (`mover.ts`). A commit leaves one entry of all its moves in table `moves`.
 */

/** The moves of one endpoint in one commit, as they are stored: JSON. */
type EndpointMoves = [
  application: string,
  createdMs: number,
  endpointId: string,
  entered: readonly number[],
  left: readonly number[],
];

/** An endpoint enters (1) or leaves (-1) a filter's list. For one place of one list, they alternate. */
export interface FilterMove extends PagePlace {
  /** of the log entry that has it */
  order: number;
  by: 1 | -1;
}

/** How far the lists are: moves of older entries are in them, those of entry `order` and before up to a place, if it is given. */
export interface Mark {
  order: number;
  place?: ListPlace;
}

/** A place of a list, in the order in which pieces go. */
export type ListPlace = [application: string, filterNumber: number, createdMs: number, endpointId: string];

/** What one commit moves. */
export class MovesOfCommit {
  readonly #moves: EndpointMoves[] = [];
  count = 0;

  add(
    application: string,
    { createdMs, endpointId }: PagePlace,
    entered: readonly number[],
    left: readonly number[],
  ): void {
    if (entered.length + left.length === 0) return;
    this.#moves.push([application, createdMs, endpointId, entered, left]);
    this.count += entered.length + left.length;
  }

  encode(): Buffer {
    return Buffer.from(JSON.stringify(this.#moves));
  }
}

/** The moves of some log entries, by list. */
export class MovesByList {
  readonly #applications = new Map<string, Map<number, FilterMove[]>>();
  size = 0;

  /** @param entry of the log; entries come in their order */
  add(order: number, entry: Buffer): void {
    const moves = JSON.parse(entry.toString('utf8', 0, entry.length)) as EndpointMoves[];
    for (const [application, createdMs, endpointId, entered, left] of moves) {
      let lists = this.#applications.get(application);
      if (lists === undefined) this.#applications.set(application, (lists = new Map<number, FilterMove[]>()));
      for (const number of left) push(lists, number, { order, createdMs, endpointId, by: -1 });
      for (const number of entered) push(lists, number, { order, createdMs, endpointId, by: 1 });
      this.size += entered.length + left.length;
    }
  }

  of(application: string, filterNumber: number): readonly FilterMove[] {
    return this.#applications.get(application)?.get(filterNumber) ?? [];
  }

  /** What they come to, in the order of the lists, from right after a place. A place that is entered and left is not in it. */
  *outcome(after?: ListPlace): Generator<[ListPlace, FilterMove]> {
    for (const application of [...this.#applications.keys()].sort()) {
      if (after && application < after[0]) continue;
      const lists = this.#applications.get(application)!;
      for (const filterNumber of Float64Array.from(lists.keys()).sort())
        for (const move of outcomeOf(lists.get(filterNumber)!)) {
          const place: ListPlace = [application, filterNumber, move.createdMs, move.endpointId];
          if (!after || compareListPlaces(after, place) < 0) yield [place, move];
        }
    }
  }
}

/** As entries of a list stand. */
const compareInList = comparePlaces('createdDate', 'desc');

function push(lists: Map<number, FilterMove[]>, number: number, move: FilterMove): void {
  const moves = lists.get(number);
  if (moves) moves.push(move);
  else lists.set(number, [move]);
}

function outcomeOf(moves: readonly FilterMove[]): readonly FilterMove[] {
  if (moves.length === 1) return moves;
  const byPlace = new Map<string, FilterMove>();
  // They alternate: the second undoes the first.
  for (const move of moves) {
    const name = nameOf(move);
    if (!byPlace.delete(name)) byPlace.set(name, move);
  }
  return [...byPlace.values()].sort(compareInList);
}

export function nameOf({ createdMs, endpointId }: PagePlace): string {
  return `${createdMs} ${endpointId}`;
}

export function isInLists(mark: Mark, application: string, filterNumber: number, move: FilterMove): boolean {
  if (move.order > mark.order) return false;
  const { place } = mark;
  return (
    !place || compareListPlaces([application, filterNumber, move.createdMs, move.endpointId], place) <= 0
  );
}

function compareListPlaces(a: ListPlace, b: ListPlace): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  if (a[1] !== b[1]) return a[1] - b[1];
  return compareInList({ createdMs: a[2], endpointId: a[3] }, { createdMs: b[2], endpointId: b[3] });
}
