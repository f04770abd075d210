import { capacityOf, type Image } from './image.js';

/**
 * A list of places or ids (all positive) that is named by one word: 0 is empty, `-x` holds only x, any other value is the
 * place of `[capacity, length, items...]`. Most lists of the index have one item, which costs no block.
 */
export type ListRef = number;

const ITEMS = 2;
const FIRST_ITEMS = 2;

/** Appends an item; answers what names the list now. O(1) amortized. */
export function listAdd(image: Image, list: ListRef, item: number): ListRef {
  if (list === 0) return -item;
  let block = list;
  if (list < 0) {
    block = allocateList(image, FIRST_ITEMS);
    image.i32[block + 1] = 1;
    image.i32[block + ITEMS] = -list;
  }
  const length = image.i32[block + 1]!;
  const capacity = image.i32[block]!;
  if (length === capacity) {
    const larger = allocateList(image, length + (length >> 1) + 2);
    const { i32 } = image;
    i32.copyWithin(larger + ITEMS, block + ITEMS, block + ITEMS + length);
    image.release(block, capacity + ITEMS);
    block = larger;
  }
  image.i32[block + ITEMS + length] = item;
  image.i32[block + 1] = length + 1;
  return block;
}

/** Removes an item once, if it is there; the last one takes its place. O(length). */
export function listRemove(image: Image, list: ListRef, item: number): ListRef {
  if (list <= 0) return list === -item ? 0 : list;
  const { i32 } = image;
  const length = i32[list + 1]!;
  const from = list + ITEMS;
  const at = i32.subarray(from, from + length).indexOf(item);
  if (at === -1) return list;
  i32[from + at] = i32[from + length - 1]!;
  i32[list + 1] = length - 1;
  if (length > 2) return list;
  const left = i32[from]!;
  image.release(list, i32[list]! + ITEMS);
  return -left;
}

/** Takes the last item off; answers what names the list then. O(1). */
export function listPop(image: Image, list: ListRef): ListRef {
  if (list <= 0) return 0;
  const { i32 } = image;
  const length = i32[list + 1]! - 1;
  i32[list + 1] = length;
  if (length > 1) return list;
  const left = i32[list + ITEMS]!;
  image.release(list, i32[list]! + ITEMS);
  return -left;
}

export function listLength(image: Image, list: ListRef): number {
  return list === 0 ? 0 : list < 0 ? 1 : image.i32[list + 1]!;
}

export function listItem(image: Image, list: ListRef, at: number): number {
  return list < 0 ? -list : image.i32[list + ITEMS + at]!;
}

/** Forgets the list, not what its items name. */
export function listRelease(image: Image, list: ListRef): void {
  if (list > 0) image.release(list, image.i32[list]! + ITEMS);
}

function allocateList(image: Image, items: number): number {
  const capacity = capacityOf(items + ITEMS) - ITEMS;
  const block = image.allocate(capacity + ITEMS);
  image.i32[block] = capacity;
  return block;
}
