import { capacityOf, type Image } from './image.js';
import { Posting } from './layout.js';

/** A condition beside a query, as it stands in a posting. */
export interface Guard {
  what: number;
  /** two words */
  operand: number;
  more: number;
}

export const NO_GUARD: Guard = { what: 0, operand: 0, more: 0 };

/** What removing answers when the query was not in the list. */
export const NOT_THERE = -1;

/**
 * A list of queries, each with its guard: `[capacity, count, 0, 0, guards...]`; 0: empty. The guard is beside the query, so
 * that most queries are passed over without a look at them.
 */
export const FIRST_GUARD = 4;

/** Adds a query; answers where the list is now. O(1) amortized. */
export function addGuarded(image: Image, list: number, query: number, guard: Guard): number {
  const count = list === 0 ? 0 : image.i32[list + 1]!;
  let place = list;
  if (list === 0 || count === image.i32[list]!) {
    const words = capacityOf(FIRST_GUARD + (count + (count >> 1) + 1) * Posting.words);
    place = image.allocate(words);
    const { i32 } = image;
    i32[place] = (words - FIRST_GUARD) / Posting.words;
    if (list !== 0) {
      i32.copyWithin(place + FIRST_GUARD, list + FIRST_GUARD, wordsOf(list, count));
      image.release(list, wordsOf(0, i32[list]!));
    }
  }
  writeGuard(image, wordsOf(place, count), query, guard);
  image.i32[place + 1] = count + 1;
  return place;
}

/** Removes a query once, the last one takes its place; answers where the list is now, or NOT_THERE. O(count). */
export function removeGuarded(image: Image, list: number, query: number): number {
  if (list === 0) return NOT_THERE;
  const { i32 } = image;
  const last = wordsOf(list, i32[list + 1]! - 1);
  for (let at = list + FIRST_GUARD; at <= last; at += Posting.words) {
    if (i32[at + Posting.query] !== query) continue;
    i32.copyWithin(at, last, last + Posting.words);
    if (--i32[list + 1]! > 0) return list;
    image.release(list, wordsOf(0, i32[list]!));
    return 0;
  }
  return NOT_THERE;
}

export function isLongList({ i32 }: Image, list: number, long: number): boolean {
  return list !== 0 && i32[list + 1]! >= long;
}

export function writeGuard({ i32 }: Image, at: number, query: number, guard: Guard): void {
  i32[at + Posting.query] = query;
  i32[at + Posting.what] = guard.what;
  i32[at + Posting.operand] = guard.operand;
  i32[at + Posting.operand + 1] = guard.more;
}

function wordsOf(list: number, guards: number): number {
  return list + FIRST_GUARD + guards * Posting.words;
}
