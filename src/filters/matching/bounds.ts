import { rankOfUnit } from '../values.js';
import { type Guard, NOT_THERE, writeGuard } from './guards.js';
import type { Image } from './image.js';
import { Posting, TraitRecord } from './layout.js';

/**
 * Bounds of conditions on one place, ascending, each with its query and guard: a value that moves flips what it passes,
 * and nothing else. Two levels, as the leaves of a B+ tree and one node above them: pages of entries
 * `[bound (two words), guard (four words)]`, and a directory `[capacity, pages, 0, 0, (page, entries, room, 0)...]`.
 *
 * A bound is a double, or in its first word the trait that has the text of the bound.
 */
export const BOUND_WORDS = 6;
const GUARD = 2;
const HEAD = 4;
const SLOT = 4;
const MOST_ENTRIES = 256;
const FIRST_ENTRIES = 2;

/** Compares the bound that stands at `at` with a value: negative, zero, positive. */
type Compare<V> = (image: Image, at: number, value: V) => number;

// not by their difference: the bound behind the greatest number is infinity
const compareNumber: Compare<number> = ({ f64 }, at, value) =>
  f64[at >> 1]! < value ? -1 : f64[at >> 1]! > value ? 1 : 0;
const compareText: Compare<string> = (image, at, value) =>
  -compareTexts(image, value, image.i32[image.i32[at]! + TraitRecord.operand]!);

/** Called with the guards from `first` to before `end`, each `BOUND_WORDS` behind the one before. */
export type GuardRun = (first: number, end: number) => void;

/** Calls back with the guards of all numbers above `low` and not above `high`, ascending. O(log n) for each page. */
export function eachNumberBetween(
  image: Image,
  bounds: number,
  low: number,
  high: number,
  callback: GuardRun,
): void {
  if (!(low < high)) return;
  const from = low === -Infinity ? undefined : low;
  eachBetween(image, bounds, from, high === Infinity ? undefined : high, compareNumber, callback);
}

/** As eachNumberBetween, of texts in the order of UTF-8 bytes; undefined: no bound on that side. */
export function eachTextBetween(
  image: Image,
  bounds: number,
  low: string | undefined,
  high: string | undefined,
  callback: GuardRun,
): void {
  eachBetween(image, bounds, low, high, compareText, callback);
}

/** Adds a query at a number; answers where the bounds are now. O(log n + page), and O(pages) when a page is full. */
export function addNumber(image: Image, bounds: number, bound: number, query: number, guard: Guard): number {
  return add(image, bounds, bound, compareNumber, query, guard, (at) => {
    image.f64[at >> 1] = bound;
  });
}

/** @param trait that has the text of the bound */
export function addText(image: Image, bounds: number, trait: number, query: number, guard: Guard): number {
  return add(image, bounds, textOf(image, trait), compareText, query, guard, (at) => {
    image.i32[at] = trait;
    image.i32[at + 1] = 0;
  });
}

/** Removes a query at a number, once; answers where the bounds are now, or NOT_THERE. O(log n + queries with that bound). */
export function removeNumber(image: Image, bounds: number, bound: number, query: number): number {
  return remove(image, bounds, bound, compareNumber, query);
}

export function removeText(image: Image, bounds: number, trait: number, query: number): number {
  return remove(image, bounds, textOf(image, trait), compareText, query);
}

/** Whether there are about so many queries, or more. O(1). */
export function isLongBounds({ i32 }: Image, bounds: number, long: number): boolean {
  if (bounds === 0) return false;
  const pages = i32[bounds + 1]!;
  const entries = i32[slotAt(bounds, 0) + 1]!;
  return pages === 1 ? entries >= long : (pages * MOST_ENTRIES) / 2 >= long;
}

function eachBetween<V>(
  image: Image,
  bounds: number,
  low: V | undefined,
  high: V | undefined,
  compare: Compare<V>,
  callback: GuardRun,
): void {
  if (bounds === 0) return;
  const { i32 } = image;
  const pages = i32[bounds + 1]!;
  let page = low === undefined ? 0 : pageFor(image, bounds, low, compare);
  let index = low === undefined ? 0 : countUpTo(image, slotAt(bounds, page), low, compare);
  for (; page < pages; page++, index = 0) {
    const slot = slotAt(bounds, page);
    const base = i32[slot]!;
    const count = i32[slot + 1]!;
    const isLast = high !== undefined && compare(image, base + (count - 1) * BOUND_WORDS, high) > 0;
    const end = isLast ? countUpTo(image, slot, high, compare) : count;
    if (index < end) callback(base + index * BOUND_WORDS + GUARD, base + end * BOUND_WORDS + GUARD);
    if (isLast) return;
  }
}

function add<V>(
  image: Image,
  given: number,
  bound: V,
  compare: Compare<V>,
  query: number,
  guard: Guard,
  write: (at: number) => void,
): number {
  let bounds = given === 0 ? begin(image) : given;
  let page = pageFor(image, bounds, bound, compare);
  if (image.i32[slotAt(bounds, page) + 1] === MOST_ENTRIES) {
    bounds = split(image, bounds, page);
    page = pageFor(image, bounds, bound, compare);
  }
  const slot = slotAt(bounds, page);
  const count = image.i32[slot + 1]!;
  if (count === image.i32[slot + 2]) enlarge(image, slot);
  const { i32 } = image;
  const base = i32[slot]!;
  const at = base + countUpTo(image, slot, bound, compare) * BOUND_WORDS;
  i32.copyWithin(at + BOUND_WORDS, at, base + count * BOUND_WORDS);
  write(at);
  writeGuard(image, at + GUARD, query, guard);
  i32[slot + 1] = count + 1;
  return bounds;
}

function remove<V>(image: Image, bounds: number, bound: V, compare: Compare<V>, query: number): number {
  if (bounds === 0) return NOT_THERE;
  const { i32 } = image;
  // equal bounds may go over several pages; they end in the page where this one would be added
  for (let page = pageFor(image, bounds, bound, compare); page >= 0; page--) {
    const slot = slotAt(bounds, page);
    const base = i32[slot]!;
    const count = i32[slot + 1]!;
    for (let i = countUpTo(image, slot, bound, compare) - 1; i >= 0; i--) {
      const at = base + i * BOUND_WORDS;
      if (compare(image, at, bound) !== 0) return NOT_THERE;
      if (i32[at + GUARD + Posting.query] !== query) continue;
      i32.copyWithin(at, at + BOUND_WORDS, base + count * BOUND_WORDS);
      i32[slot + 1] = count - 1;
      return count > 1 ? bounds : dropPage(image, bounds, page);
    }
  }
  return NOT_THERE;
}

/** The last page whose first bound is not greater than the value, or the first page. */
function pageFor<V>(image: Image, bounds: number, value: V, compare: Compare<V>): number {
  const { i32 } = image;
  let low = 0;
  let high = i32[bounds + 1]! - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (compare(image, i32[slotAt(bounds, middle)]!, value) <= 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** How many entries of a page are not greater than the value. */
function countUpTo<V>(image: Image, slot: number, value: V, compare: Compare<V>): number {
  const base = image.i32[slot]!;
  let low = 0;
  let high = image.i32[slot + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(image, base + middle * BOUND_WORDS, value) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function slotAt(bounds: number, page: number): number {
  return bounds + HEAD + page * SLOT;
}

function begin(image: Image): number {
  const bounds = image.allocate(HEAD + SLOT);
  image.i32[bounds] = 1;
  image.i32[bounds + 1] = 1;
  const page = image.allocate(FIRST_ENTRIES * BOUND_WORDS);
  image.i32[slotAt(bounds, 0)] = page;
  image.i32[slotAt(bounds, 0) + 2] = FIRST_ENTRIES;
  return bounds;
}

function enlarge(image: Image, slot: number): void {
  const room = image.i32[slot + 2]!;
  const page = image.allocate(room * 2 * BOUND_WORDS);
  const { i32 } = image;
  const former = i32[slot]!;
  i32.copyWithin(page, former, former + room * BOUND_WORDS);
  image.release(former, room * BOUND_WORDS);
  i32[slot] = page;
  i32[slot + 2] = room * 2;
}

/** Moves half of a full page into a new one behind it. */
function split(image: Image, bounds: number, page: number): number {
  const half = MOST_ENTRIES / 2;
  const behind = image.allocate(MOST_ENTRIES * BOUND_WORDS);
  let place = bounds;
  const pages = image.i32[bounds + 1]!;
  if (pages === image.i32[bounds]) {
    place = image.allocate(HEAD + pages * 2 * SLOT);
    const { i32 } = image;
    i32.copyWithin(place, bounds, slotAt(bounds, pages));
    i32[place] = pages * 2;
    image.release(bounds, HEAD + pages * SLOT);
  }
  const { i32 } = image;
  const slot = slotAt(place, page);
  const from = i32[slot]! + half * BOUND_WORDS;
  i32.copyWithin(behind, from, from + half * BOUND_WORDS);
  i32.copyWithin(slot + 2 * SLOT, slot + SLOT, slotAt(place, pages));
  i32[slot + 1] = half;
  i32[slot + SLOT] = behind;
  i32[slot + SLOT + 1] = half;
  i32[slot + SLOT + 2] = MOST_ENTRIES;
  i32[place + 1] = pages + 1;
  return place;
}

function dropPage(image: Image, bounds: number, page: number): number {
  const { i32 } = image;
  const slot = slotAt(bounds, page);
  const pages = i32[bounds + 1]! - 1;
  image.release(i32[slot]!, i32[slot + 2]! * BOUND_WORDS);
  i32.copyWithin(slot, slot + SLOT, slotAt(bounds, pages + 1));
  i32[bounds + 1] = pages;
  if (pages > 0) return bounds;
  image.release(bounds, HEAD + i32[bounds]! * SLOT);
  return 0;
}

function textOf(image: Image, trait: number): string {
  return image.readText(image.i32[trait + TraitRecord.operand]!);
}

/** As compareStrings in values.ts, with a text of the image. */
export function compareTexts(image: Image, value: string, text: number): number {
  const { i32, u16 } = image;
  const length = i32[text]!;
  const at = (text + 1) * 2;
  const common = Math.min(value.length, length);
  for (let i = 0; i < common; i++) {
    const x = value.charCodeAt(i);
    const y = u16[at + i]!;
    if (x !== y) return rankOfUnit(x) - rankOfUnit(y);
  }
  return value.length - length;
}
