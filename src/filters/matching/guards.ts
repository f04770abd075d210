import { capacityOf, type Image } from './image.js';
import { LeafKind, OpaqueRecord, Posting, TraitRecord } from './layout.js';

/**
 * A list of queries, each with its guard: `[capacity, count, 0, 0, guards...]`; 0: empty. The guard is beside the query, so
 * that most queries are passed over without a look at them.
 */
export const FIRST_GUARD = 4;

/** Adds a query, with a guard that is laid out as a leaf (0: none); answers where the list is now. O(1) amortized. */
export function addGuarded(image: Image, list: number, query: number, guard: number): number {
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

/** Removes a query once; the last one takes its place. O(count). */
export function removeGuarded(image: Image, list: number, query: number): number {
  if (list === 0) return 0;
  const { i32 } = image;
  const last = wordsOf(list, i32[list + 1]! - 1);
  for (let at = list + FIRST_GUARD; at <= last; at += Posting.words) {
    if (i32[at + Posting.query] !== query) continue;
    i32.copyWithin(at, last, last + Posting.words);
    if (--i32[list + 1]! > 0) return list;
    image.release(list, wordsOf(0, i32[list]!));
    return 0;
  }
  return list;
}

/** @param guard a leaf, or a guard; 0: none. Of an evaluated condition the one trait that it needs, if there is one. */
export function writeGuard({ i32 }: Image, at: number, query: number, guard: number): void {
  i32[at + Posting.query] = query;
  const what = guard === 0 ? 0 : i32[guard + Posting.what]!;
  if ((what & 15) === LeafKind.evaluated) {
    const need = -i32[i32[guard + Posting.operand]! + OpaqueRecord.needs]!;
    i32[at + Posting.what] = LeafKind.trait | (i32[need + TraitRecord.what]! & ~15);
    i32[at + Posting.operand] = need;
    i32[at + Posting.operand + 1] = 0;
    return;
  }
  i32[at + Posting.what] = what;
  i32[at + Posting.operand] = guard === 0 ? 0 : i32[guard + Posting.operand]!;
  i32[at + Posting.operand + 1] = guard === 0 ? 0 : i32[guard + Posting.operand + 1]!;
}

function wordsOf(list: number, guards: number): number {
  return list + FIRST_GUARD + guards * Posting.words;
}
