import { mix } from '../../model/hash.js';
import { type Guard, NOT_THERE } from './guards.js';
import { Header, type Image } from './image.js';
import { LeafKind, SectionedPlace, SectionRecord, SECTIONS, TraitRecord } from './layout.js';
import { RecordTable } from './tables.js';

/** Where the places of guards begin behind the head of a block of them. */
export const FIRST_SECTIONED = 4;
/** Places of guards by which one list has sections; each is a look at the document in a search. */
const MOST_PLACES = 64;

/**
 * Long lists, divided by the traits of guards. A search looks at the sections of the traits that its documents have, and at
 * what is beside sections, instead of at guards by the thousand. A list is named by the word in which it stands.
 */
export class Sections {
  private readonly table: RecordTable;

  constructor(private readonly image: Image) {
    this.table = new RecordTable(image, Header.sections);
  }

  /** Whether nothing is in a list, in its sections neither. */
  isEmpty(list: number): boolean {
    return this.image.i32[list] === 0 && this.image.i32[list + SECTIONS] === 0;
  }

  /** The word that names the section of a trait, or 0. */
  find(list: number, trait: number): number {
    const { i32 } = this.image;
    const base = i32[Header.sections]!;
    if (base === 0) return 0;
    const mask = i32[Header.sections + 1]!;
    // as RecordTable does, without a closure: this is asked for each trait of each search
    for (let i = hashOf(list, trait) & mask; ; i = (i + 1) & mask) {
      const record = i32[base + i]!;
      if (record === 0) return 0;
      if (i32[record + SectionRecord.owner] === list && i32[record + SectionRecord.trait] === trait)
        return record + SectionRecord.list;
    }
  }

  /**
   * The word that names what a query is to be added to at once: a long list, or a section of it.
   * @param beside so many queries with a guard at the same place stay beside the sections: few are walked sooner
   */
  wordFor(list: number, guard: Guard, beside: number): number {
    if ((guard.what & 15) !== LeafKind.trait) return list;
    const place = this.holdPlace(list, guard.what >>> 4);
    if (place === 0) return list;
    if (this.image.i32[place + SectionedPlace.beside]! < beside) {
      this.image.i32[place + SectionedPlace.beside]!++;
      return list;
    }
    this.image.i32[place + SectionedPlace.inSections]!++;
    const found = this.find(list, guard.operand);
    if (found !== 0) return found;
    const record = this.image.allocate(SectionRecord.words);
    const { i32 } = this.image;
    i32[record + SectionRecord.hash] = hashOf(list, guard.operand);
    i32[record + SectionRecord.owner] = list;
    i32[record + SectionRecord.trait] = guard.operand;
    this.table.add(record);
    return record + SectionRecord.list;
  }

  /**
   * Removes a query once, from a list or from one of its sections.
   * @param traits that may be its guard
   * @param from takes it out of what a word names, and answers what that is to be then, or NOT_THERE
   */
  remove(list: number, traits: readonly number[], from: (word: number) => number): boolean {
    const { i32 } = this.image;
    const isRemoved = this.removeFromSection(list, traits, from) || this.removeAt(list, from);
    if (isRemoved && i32[list] === 0 && i32[list + SECTIONS] !== 0) this.forgetPlaces(list);
    return isRemoved;
  }

  private removeFromSection(
    list: number,
    traits: readonly number[],
    from: (word: number) => number,
  ): boolean {
    const { i32 } = this.image;
    if (i32[list + SECTIONS] === 0) return false;
    for (const trait of traits) {
      const word = this.find(list, trait);
      if (word === 0 || !this.removeAt(word, from)) continue;
      i32[this.findPlace(list, i32[trait + TraitRecord.what]! >>> 4) + SectionedPlace.inSections]!--;
      if (i32[word] !== 0) return true;
      const record = word - SectionRecord.list;
      this.table.remove(record);
      this.image.release(record, SectionRecord.words);
      return true;
    }
    return false;
  }

  /** Takes something out of what a word names; false: it is not there. */
  removeAt(word: number, from: (word: number) => number): boolean {
    const left = from(word);
    if (left === NOT_THERE) return false;
    this.image.i32[word] = left;
    return true;
  }

  /** Where the queries with a guard at a place are counted; 0: there are too many places. */
  private holdPlace(list: number, placeId: number): number {
    const found = this.findPlace(list, placeId);
    if (found !== 0) return found;
    const { image } = this;
    let block = image.i32[list + SECTIONS]!;
    const count = block === 0 ? 0 : image.i32[block + 1]!;
    if (count === MOST_PLACES) return 0;
    if (block === 0 || count === image.i32[block]!) {
      const room = Math.max(count * 2, 1);
      const larger = image.allocate(wordsOf(room));
      const { i32 } = image;
      i32[larger] = room;
      if (block !== 0) {
        i32.copyWithin(larger + FIRST_SECTIONED, block + FIRST_SECTIONED, block + wordsOf(count));
        image.release(block, wordsOf(count));
      }
      i32[list + SECTIONS] = block = larger;
    }
    const { i32 } = image;
    i32[block + 1] = count + 1;
    const place = block + wordsOf(count);
    i32.fill(0, place, place + SectionedPlace.words);
    i32[place + SectionedPlace.place] = placeId;
    return place;
  }

  private findPlace(list: number, placeId: number): number {
    const { i32 } = this.image;
    const block = i32[list + SECTIONS]!;
    if (block === 0) return 0;
    const end = block + wordsOf(i32[block + 1]!);
    for (let at = block + FIRST_SECTIONED; at < end; at += SectionedPlace.words)
      if (i32[at + SectionedPlace.place] === placeId) return at;
    return 0;
  }

  /** When nothing is in sections either. */
  private forgetPlaces(list: number): void {
    const { image } = this;
    const { i32 } = image;
    const block = i32[list + SECTIONS]!;
    const end = block + wordsOf(i32[block + 1]!);
    for (let at = block + FIRST_SECTIONED; at < end; at += SectionedPlace.words)
      if (i32[at + SectionedPlace.inSections] !== 0) return;
    i32[list + SECTIONS] = 0;
    image.release(block, wordsOf(i32[block]!));
  }
}

function wordsOf(places: number): number {
  return FIRST_SECTIONED + places * SectionedPlace.words;
}

function hashOf(list: number, trait: number): number {
  return mix(list ^ Math.imul(trait, 0x9e3779b1));
}
