import { Header, type Image } from './image.js';
import { FilterRecord } from './layout.js';

const { words: WORDS } = FilterRecord;
const FIRST_FILTERS = 16;

/** What events say of a filter. */
export interface FilterName {
  id: string;
  name: string;
  /** only active filters have events */
  active: boolean;
}

/** The filters of an image in ascending order of their numbers. New ones have the highest, so that most come at the end. */
export class FilterTable {
  constructor(private readonly image: Image) {}

  get size(): number {
    return this.image.i32[Header.filters + 2]!;
  }

  /** How many filters have a number that is not greater. O(log n). */
  countUpTo(number: number): number {
    const { i32 } = this.image;
    const base = i32[Header.filters]!;
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (i32[base + middle * WORDS]! <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The record of the filter at this place in the order. */
  at(index: number): number {
    return this.image.i32[Header.filters]! + index * WORDS;
  }

  /** The record of a number; 0: there is none. O(log of the numbers that are not in use). */
  find(number: number): number {
    const { size } = this;
    if (size === 0) return 0;
    const { i32 } = this.image;
    // numbers are whole and ascend: so few places are left when few numbers are missing
    let low = Math.max(0, size - 1 - (i32[this.at(size - 1)]! - number));
    let high = Math.min(size - 1, number - i32[this.at(0)]!);
    while (low <= high) {
      const middle = (low + high) >> 1;
      const record = this.at(middle);
      const found = i32[record]!;
      if (found === number) return record;
      if (found < number) low = middle + 1;
      else high = middle - 1;
    }
    return 0;
  }

  nameOf(record: number): FilterName {
    const { image } = this;
    const id = image.i32[record + FilterRecord.id]!;
    return {
      id: image.readText(id & ~1),
      name: image.readText(image.i32[record + FilterRecord.name]!),
      active: (id & 1) !== 0,
    };
  }

  /** O(log n), and O(filters with a higher number). */
  add(number: number, query: number, name: FilterName): void {
    const { image } = this;
    const count = this.size;
    if (count === image.i32[Header.filters + 1]) this.grow(count);
    const index = this.countUpTo(number);
    const at = this.at(index);
    image.i32.copyWithin(at + WORDS, at, this.at(count));
    image.i32[at + FilterRecord.number] = number;
    image.i32[at + FilterRecord.query] = query;
    image.i32[Header.filters + 2] = count + 1;
    this.writeName(index, name);
  }

  /** Whether there was such a filter. */
  rename(number: number, name: FilterName): boolean {
    const record = this.find(number);
    if (record === 0) return false;
    this.releaseName(record);
    this.writeName(this.countUpTo(number) - 1, name);
    return true;
  }

  /** Answers the query of the filter that was removed; 0: there was none. */
  remove(number: number): number {
    const record = this.find(number);
    if (record === 0) return 0;
    const { i32 } = this.image;
    const query = i32[record + FilterRecord.query]!;
    this.releaseName(record);
    i32.copyWithin(record, record + WORDS, this.at(this.size));
    i32[Header.filters + 2]!--;
    return query;
  }

  private writeName(index: number, { id, name, active }: FilterName): void {
    const { image } = this;
    const idText = image.storeText(id);
    const nameText = image.storeText(name);
    const record = this.at(index);
    image.i32[record + FilterRecord.id] = idText | (active ? 1 : 0);
    image.i32[record + FilterRecord.name] = nameText;
  }

  private releaseName(record: number): void {
    const { image } = this;
    image.releaseText(image.i32[record + FilterRecord.id]! & ~1);
    image.releaseText(image.i32[record + FilterRecord.name]!);
  }

  private grow(count: number): void {
    const { image } = this;
    const former = image.i32[Header.filters]!;
    const capacity = Math.max(FIRST_FILTERS, count * 2);
    const base = image.allocate(capacity * WORDS);
    const { i32 } = image;
    i32.copyWithin(base, former, former + count * WORDS);
    if (former !== 0) image.release(former, count * WORDS);
    i32[Header.filters] = base;
    i32[Header.filters + 1] = capacity;
  }
}
