import { capacityOf, type Image } from './image.js';
import { TraitRecord } from './layout.js';
import { addGuarded, removeGuarded } from './guards.js';

/**
 * Bounds of conditions on one place, ascending, with the queries that hold from them on and those that hold below:
 * `[capacity, count, 0, 0, bounds..., (from, below)...]`. A value that moves flips what lies between, and nothing else.
 *
 * Numbers are doubles; of texts it is the trait that has the text.
 */
const HEAD = 4;
const FIRST_BOUNDS = 4;

/** What there is to a bound: what holds from it on, and what holds below. */
export const FROM = 0;
export const BELOW = 1;
export type Side = typeof FROM | typeof BELOW;

/** How many bounds of numbers are not greater than the value. O(log n). */
export function numbersUpTo(image: Image, block: number, value: number): number {
  if (block === 0) return 0;
  const { f64 } = image;
  const base = (block + HEAD) >> 1;
  let low = 0;
  let high = image.i32[block + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (f64[base + middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many bounds of texts are not greater than the value, in the order of UTF-8 bytes. O(log n) comparisons. */
export function textsUpTo(image: Image, block: number, value: string): number {
  if (block === 0) return 0;
  const { i32 } = image;
  let low = 0;
  let high = i32[block + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    const text = i32[i32[block + HEAD + middle]! + TraitRecord.operand]!;
    if (compareTexts(image, value, text) >= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function boundCount(image: Image, block: number): number {
  return block === 0 ? 0 : image.i32[block + 1]!;
}

/** The queries on one side of a bound: a list of guards. */
export function listAtBound(image: Image, block: number, at: number, side: Side, words: 1 | 2): number {
  const { i32 } = image;
  return i32[listsOf(i32, block, words) + at * 2 + side]!;
}

/** Adds a query at a bound; answers where the block is now. O(n). */
export function addAtNumber(
  image: Image,
  block: number,
  bound: number,
  side: Side,
  query: number,
  guard: number,
): number {
  const at = numbersUpTo(image, block, bound);
  const present = at > 0 && image.f64[((block + HEAD) >> 1) + at - 1] === bound;
  const place = present ? block : insert(image, block, at, 2);
  const index = present ? at - 1 : at;
  image.f64[((place + HEAD) >> 1) + index] = bound;
  setList(image, place, index, side, 2, (list) => addGuarded(image, list, query, guard));
  return place;
}

export function removeAtNumber(
  image: Image,
  block: number,
  bound: number,
  side: Side,
  query: number,
): number {
  const index = numbersUpTo(image, block, bound) - 1;
  setList(image, block, index, side, 2, (list) => removeGuarded(image, list, query));
  return dropIfEmpty(image, block, index, 2);
}

/** @param trait that has the text of the bound */
export function addAtText(
  image: Image,
  block: number,
  trait: number,
  side: Side,
  query: number,
  guard: number,
): number {
  const at = textsUpTo(image, block, image.readText(image.i32[trait + TraitRecord.operand]!));
  const present = at > 0 && image.i32[block + HEAD + at - 1] === trait;
  const place = present ? block : insert(image, block, at, 1);
  const index = present ? at - 1 : at;
  image.i32[place + HEAD + index] = trait;
  setList(image, place, index, side, 1, (list) => addGuarded(image, list, query, guard));
  return place;
}

export function removeAtText(image: Image, block: number, trait: number, side: Side, query: number): number {
  const index = textsUpTo(image, block, image.readText(image.i32[trait + TraitRecord.operand]!)) - 1;
  setList(image, block, index, side, 1, (list) => removeGuarded(image, list, query));
  return dropIfEmpty(image, block, index, 1);
}

function listsOf(i32: Int32Array, block: number, words: 1 | 2): number {
  return block + HEAD + i32[block]! * words;
}

function setList(
  image: Image,
  block: number,
  index: number,
  side: Side,
  words: 1 | 2,
  change: (list: number) => number,
): void {
  const at = listsOf(image.i32, block, words) + index * 2 + side;
  const list = change(image.i32[at]!);
  image.i32[at] = list;
}

function wordsOf(capacity: number, words: 1 | 2): number {
  return HEAD + capacity * (words + 2);
}

/** Makes room for a bound. */
function insert(image: Image, block: number, at: number, words: 1 | 2): number {
  const count = boundCount(image, block);
  let place = block;
  if (block === 0 || count === image.i32[block]!) {
    const wanted = wordsOf(Math.max(FIRST_BOUNDS, count + (count >> 1)), words);
    // even, so that what stands behind doubles is as it was
    const capacity = Math.floor((capacityOf(wanted) - HEAD) / (words + 2)) & ~1;
    place = image.allocate(wordsOf(capacity, words));
    const { i32 } = image;
    i32[place] = capacity;
    i32[place + 1] = count;
    if (block !== 0) {
      const former = i32[block]!;
      i32.copyWithin(place + HEAD, block + HEAD, block + HEAD + count * words);
      const lists = listsOf(i32, block, words);
      i32.copyWithin(listsOf(i32, place, words), lists, lists + count * 2);
      image.release(block, wordsOf(former, words));
    }
  }
  const { i32 } = image;
  const base = place + HEAD;
  i32.copyWithin(base + (at + 1) * words, base + at * words, base + count * words);
  const lists = listsOf(i32, place, words);
  i32.copyWithin(lists + (at + 1) * 2, lists + at * 2, lists + count * 2);
  i32.fill(0, lists + at * 2, lists + at * 2 + 2);
  i32[place + 1] = count + 1;
  return place;
}

function dropIfEmpty(image: Image, block: number, index: number, words: 1 | 2): number {
  const { i32 } = image;
  const lists = listsOf(i32, block, words);
  if (i32[lists + index * 2] !== 0 || i32[lists + index * 2 + 1] !== 0) return block;
  const count = i32[block + 1]! - 1;
  i32[block + 1] = count;
  if (count === 0) {
    image.release(block, wordsOf(i32[block]!, words));
    return 0;
  }
  const base = block + HEAD;
  i32.copyWithin(base + index * words, base + (index + 1) * words, base + (count + 1) * words);
  i32.copyWithin(lists + index * 2, lists + (index + 1) * 2, lists + (count + 1) * 2);
  return block;
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

/** Code point order of UTF-16 units: surrogates come after U+E000..U+FFFF. */
function rankOfUnit(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
