import type { Image } from './image.js';

/** What stands in a header for one table. */
const PLACE = 0;
const MASK = 1;
const COUNT = 2;

const FIRST_PLACES = 16;

/**
 * Records found by what they say: open addressing with linear probing (Knuth, TAOCP 3, 6.4), places of records in it. Each
 * record has the hash of its content in its first word, so that the table grows without looking at contents.
 */
export class RecordTable {
  constructor(
    private readonly image: Image,
    private readonly header: number,
  ) {}

  /** The place of a record with this hash for which `is` holds, or 0. */
  find(hash: number, is: (record: number) => boolean): number {
    const { i32 } = this.image;
    const base = i32[this.header + PLACE]!;
    if (base === 0) return 0;
    const mask = i32[this.header + MASK]!;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const record = i32[base + i]!;
      if (record === 0) return 0;
      if (i32[record] === hash && is(record)) return record;
    }
  }

  /** Adds a record that is not there. O(1) amortized. */
  add(record: number): void {
    this.makeRoom();
    const { i32 } = this.image;
    put(i32, i32[this.header + PLACE]!, i32[this.header + MASK]!, record);
    i32[this.header + COUNT]!++;
  }

  /** Removes a record that is there. Those behind it move up, so that nothing marks its place. */
  remove(record: number): void {
    const { i32 } = this.image;
    const base = i32[this.header + PLACE]!;
    const mask = i32[this.header + MASK]!;
    let hole = i32[record]! & mask;
    while (i32[base + hole] !== record) hole = (hole + 1) & mask;
    for (let i = (hole + 1) & mask; ; i = (i + 1) & mask) {
      const other = i32[base + i]!;
      if (other === 0) break;
      if (((i - (i32[other]! & mask)) & mask) < ((i - hole) & mask)) continue;
      i32[base + hole] = other;
      hole = i;
    }
    i32[base + hole] = 0;
    i32[this.header + COUNT]!--;
  }

  private makeRoom(): void {
    const { image, header } = this;
    const former = image.i32[header + PLACE]!;
    const places = former === 0 ? 0 : image.i32[header + MASK]! + 1;
    if (image.i32[header + COUNT]! * 3 < places * 2) return;
    const more = Math.max(places * 2, FIRST_PLACES);
    const base = image.allocate(more);
    const { i32 } = image;
    for (let i = 0; i < places; i++) {
      const record = i32[former + i]!;
      if (record !== 0) put(i32, base, more - 1, record);
    }
    if (former !== 0) image.release(former, places);
    i32[header + PLACE] = base;
    i32[header + MASK] = more - 1;
  }
}

function put(i32: Int32Array, base: number, mask: number, record: number): void {
  let i = i32[record]! & mask;
  while (i32[base + i] !== 0) i = (i + 1) & mask;
  i32[base + i] = record;
}
