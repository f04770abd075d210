/**
 * The memory of one application's filter index: one SharedArrayBuffer that one thread writes and every thread reads.
 * Places in it are offsets in 32-bit words, always multiples of four; 0 is no place.
 *
 * Blocks are handed out by size classes (four apart up to 64 words, then four to each doubling) and taken back into a
 * free list for each, so that filters that come and go reuse what others left. When the memory is full it is moved to a
 * buffer of twice the size, the one moment at which readers must be given another buffer.
 */
export class Image {
  i32!: Int32Array;
  f64!: Float64Array;
  f32!: Float32Array;
  u16!: Uint16Array;
  private octets!: Buffer;
  buffer!: SharedArrayBuffer;

  /** @param buffer of another thread; absent: a new, empty image */
  constructor(buffer?: SharedArrayBuffer) {
    if (buffer !== undefined) {
      this.attach(buffer);
      return;
    }
    this.attach(new SharedArrayBuffer(FIRST_WORDS * 4));
    this.i32[Header.top] = HEADER_WORDS;
  }

  /** Reads another buffer from now on. O(1). */
  attach(buffer: SharedArrayBuffer): void {
    this.buffer = buffer;
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.octets = Buffer.from(buffer);
  }

  /** Bytes in use, those in free lists included. */
  get bytes(): number {
    return this.i32[Header.top]! * 4;
  }

  /**
   * A block of at least so many words, all zero. Views that were read before are no longer valid, and `i32` on the left of
   * an assignment is read before what is on its right: what allocates must not stand there.
   */
  allocate(words: number): number {
    const sizeClass = classOf(words);
    const size = sizeOf(sizeClass);
    const head = Header.free + sizeClass;
    const reused = this.i32[head]!;
    if (reused !== 0) {
      this.i32[head] = this.i32[reused]!;
      this.i32.fill(0, reused, reused + size);
      return reused;
    }
    const offset = this.i32[Header.top]!;
    if (offset + size > this.i32.length) this.grow(offset + size);
    this.i32[Header.top] = offset + size;
    return offset;
  }

  /** Takes a block back that was allocated for so many words. */
  release(offset: number, words: number): void {
    const head = Header.free + classOf(words);
    this.i32[offset] = this.i32[head]!;
    this.i32[head] = offset;
  }

  private grow(words: number): void {
    let length = this.i32.length;
    while (length < words) length *= 2;
    const larger = new SharedArrayBuffer(length * 4);
    new Int32Array(larger).set(this.i32);
    this.attach(larger);
  }

  /** Stores a text: its length, then its UTF-16 units, two to a word. */
  storeText(text: string): number {
    const offset = this.allocate(textWords(text.length));
    this.writeText(offset, text);
    return offset;
  }

  /** Writes a text where there is room for it. */
  writeText(offset: number, text: string): void {
    const { u16 } = this;
    this.i32[offset] = text.length;
    for (let i = 0, at = (offset + 1) * 2; i < text.length; i++) u16[at + i] = text.charCodeAt(i);
  }

  releaseText(offset: number): void {
    this.release(offset, textWords(this.i32[offset]!));
  }

  readText(offset: number): string {
    const at = (offset + 1) * 4;
    return this.octets.toString('utf16le', at, at + this.i32[offset]! * 2);
  }

  isText(offset: number, text: string): boolean {
    if (this.i32[offset] !== text.length) return false;
    const { u16 } = this;
    for (let i = 0, at = (offset + 1) * 2; i < text.length; i++)
      if (u16[at + i] !== text.charCodeAt(i)) return false;
    return true;
  }
}

/** Words at the beginning of an image, and what stands there. */
export const Header = {
  top: 0,
  /** grows with each record that is made, so that a record in the place of another is known to be another */
  serial: 1,
  /** filter-set version of the application: what its records are evaluated with */
  version: 2,
  /** filter-set version that every record was evaluated with, even where it carries an older one */
  settled: 3,
  /** filters in ascending order of their numbers: place, capacity, count */
  filters: 4,
  /** queries of which nothing positive must hold: an `IntList` */
  unconditional: 8,
  /** place of each slot by its id: an `IntList`; ids that are free: another */
  slots: 9,
  freeSlots: 10,
  /** ids of queries that are free: a list; and the place of each query by its id: another */
  freeQueries: 12,
  queries: 13,
  /** tables: place, mask, count each */
  keys: 16,
  values: 20,
  opaques: 24,
  programs: 28,
  traitSets: 32,
  sections: 36,
  free: 40,
} as const;

const CLASSES = 16 + 4 * 24;
const HEADER_WORDS = Header.free + CLASSES;
const FIRST_WORDS = 4096;

/** Words that a text of so many UTF-16 units takes. */
export function textWords(length: number): number {
  return 1 + ((length + 1) >> 1);
}

function classOf(words: number): number {
  const units = (words + 3) >> 2;
  if (units <= 16) return Math.max(units, 1) - 1;
  const power = 31 - Math.clz32(units);
  const quarter = 1 << (power - 2);
  return 16 + (power - 4) * 4 + Math.ceil((units - (1 << power)) / quarter);
}

function sizeOf(sizeClass: number): number {
  if (sizeClass < 16) return (sizeClass + 1) * 4;
  const power = 4 + ((sizeClass - 16) >> 2);
  return ((1 << power) + ((sizeClass - 16) & 3) * (1 << (power - 2))) * 4;
}

/** How many words a block has that was allocated for so many. */
export function capacityOf(words: number): number {
  return sizeOf(classOf(words));
}
