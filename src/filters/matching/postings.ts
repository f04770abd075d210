import { addNumber, addText, isLongBounds, removeNumber, removeText } from './bounds.js';
import type { Dictionary } from './dictionary.js';
import { guardTraitsNear, leafAt } from './guard-choice.js';
import { addGuarded, type Guard, isLongList, removeGuarded } from './guards.js';
import type { Image } from './image.js';
import { LeafKind, LeafWords, OpaqueRecord, PlaceRecord, SECTIONS, TraitRecord, TraitSet } from './layout.js';
import { listAdd, listItem, listLength, listRemove } from './lists.js';
import { Sections } from './sections.js';

/** From so many queries on a list is divided, and so many with a guard at one place stay beside its sections. */
export interface SectionLimits {
  long: number;
  beside: number;
}

const SECTION_LIMITS: SectionLimits = { long: 512, beside: 256 };

/**
 * Lists a query by one of its conditions, such that a change which flips the condition leads to it: by a trait at the
 * trait, by a bound among the bounds of its place, by an evaluated condition at that. Each condition is there once,
 * whatever queries have it.
 */
export class Postings {
  private readonly image: Image;
  private readonly sections: Sections;

  constructor(
    private readonly dictionary: Dictionary,
    private readonly limits: SectionLimits = SECTION_LIMITS,
  ) {
    this.image = dictionary.image;
    this.sections = new Sections(this.image);
  }

  /** @param guard without which a flip of this leaf changes nothing */
  add(query: number, leaf: number, guard: Guard): void {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    switch (image.i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.trait:
      case LeafKind.exists:
        return this.addToSection(operand + TraitRecord.queries, query, guard);
      case LeafKind.traits:
        for (let i = 0; i < image.i32[operand + TraitSet.count]!; i++) {
          const trait = image.i32[operand + TraitSet.firstTrait + i]!;
          this.addToSection(trait + TraitRecord.queries, query, guard);
        }
        return;
      case LeafKind.evaluated:
        if (this.sections.isEmpty(operand + OpaqueRecord.queries)) this.listOpaque(operand);
        return this.addToSection(operand + OpaqueRecord.queries, query, guard);
      default: {
        const at = this.boundsAt(leaf);
        const isLong =
          image.i32[at + SECTIONS] !== 0 || isLongBounds(image, image.i32[at]!, this.limits.long);
        this.addToBounds(
          isLong ? this.sections.wordFor(at, guard, this.limits.beside) : at,
          query,
          leaf,
          guard,
        );
      }
    }
  }

  /** Lists a query at a bound for documents that are new. */
  addGate(query: number, leaf: number, guard: Guard): void {
    this.addToBounds(this.boundsAt(leaf) + GATED, query, leaf, guard);
  }

  removeGate(query: number, leaf: number): void {
    const at = this.boundsAt(leaf) + GATED;
    this.sections.removeAt(at, (word) => this.removeFromBounds(word, query, leaf));
  }

  private addToBounds(at: number, query: number, leaf: number, guard: Guard): void {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    const changed = isText(image, leaf)
      ? addText(image, image.i32[at]!, operand, query, guard)
      : addNumber(image, image.i32[at]!, numberOf(image, leaf), query, guard);
    image.i32[at] = changed;
  }

  /** Answers what the word is to name then. */
  private removeFromBounds(at: number, query: number, leaf: number): number {
    const { image } = this;
    const bounds = image.i32[at]!;
    return isText(image, leaf)
      ? removeText(image, bounds, image.i32[leaf + LeafWords.operand]!, query)
      : removeNumber(image, bounds, numberOf(image, leaf), query);
  }

  /**
   * Removes what was added once with this leaf of a query.
   * @param at which of its leaves
   */
  remove(query: number, at: number): void {
    const { image } = this;
    const leaf = leafAt(query, at);
    const operand = image.i32[leaf + LeafWords.operand]!;
    const fromList = (word: number): number => removeGuarded(image, image.i32[word]!, query);
    switch (image.i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.trait:
      case LeafKind.exists:
        return this.removeOnce(operand + TraitRecord.queries, query, at, fromList);
      case LeafKind.traits:
        for (let i = 0; i < image.i32[operand + TraitSet.count]!; i++) {
          const trait = image.i32[operand + TraitSet.firstTrait + i]!;
          this.removeOnce(trait + TraitRecord.queries, query, at, fromList);
        }
        return;
      case LeafKind.evaluated:
        this.removeOnce(operand + OpaqueRecord.queries, query, at, fromList);
        if (this.sections.isEmpty(operand + OpaqueRecord.queries)) this.unlistOpaque(operand);
        return;
      default:
        this.removeOnce(this.boundsAt(leaf), query, at, (word) => this.removeFromBounds(word, query, leaf));
    }
  }

  /** Two leaves may be the same condition: what is found may be of the other, which then has to look further for this one's. */
  private removeOnce(list: number, query: number, at: number, from: (word: number) => number): void {
    if (this.sections.remove(list, guardTraitsNear(this.image, query, at), from)) return;
    this.sections.remove(list, guardTraitsNear(this.image, query, at, Infinity), from);
  }

  private addToSection(list: number, query: number, guard: Guard): void {
    const { image } = this;
    const isLong = image.i32[list + SECTIONS] !== 0 || isLongList(image, image.i32[list]!, this.limits.long);
    this.addTo(isLong ? this.sections.wordFor(list, guard, this.limits.beside) : list, query, guard);
  }

  /** @param at the word that names a list of guards */
  addTo(at: number, query: number, guard: Guard): void {
    const list = addGuarded(this.image, this.image.i32[at]!, query, guard);
    this.image.i32[at] = list;
  }

  removeFrom(at: number, query: number): void {
    this.sections.removeAt(at, (word) => removeGuarded(this.image, this.image.i32[word]!, query));
  }

  /** The word that names the bounds of a leaf's kind and place. */
  private boundsAt(leaf: number): number {
    const what = this.image.i32[leaf + LeafWords.what]!;
    return this.dictionary.placeOf(what >>> 4) + BOUNDS[(what & 15) as keyof typeof BOUNDS];
  }

  /** Lists an evaluated condition where a change may lead to it: at the traits that it needs, or at its places. */
  private listOpaque(opaque: number): void {
    this.changeOpaque(opaque, 1, (list) => listAdd(this.image, list, opaque));
  }

  private unlistOpaque(opaque: number): void {
    this.changeOpaque(opaque, -1, (list) => listRemove(this.image, list, opaque));
  }

  private changeOpaque(opaque: number, by: 1 | -1, change: (list: number) => number): void {
    const { image } = this;
    const changeAt = (at: number): void => {
      const list = change(image.i32[at]!);
      image.i32[at] = list;
    };
    const needs = image.i32[opaque + OpaqueRecord.needs]!;
    for (let i = 0; i < listLength(image, needs); i++) {
      const trait = listItem(image, needs, i);
      image.i32[this.dictionary.placeOf(image.i32[trait + TraitRecord.what]! >>> 4) + PlaceRecord.needed]! +=
        by;
      changeAt(trait + TraitRecord.evaluated);
    }
    if (needs !== 0) return;
    const places = image.i32[opaque + OpaqueRecord.places]!;
    for (let i = 0; i < listLength(image, places); i++)
      changeAt(this.dictionary.placeOf(listItem(image, places, i)) + PlaceRecord.evaluated);
  }
}

/** From the word of bounds to that of the same bounds as gates. */
const GATED = PlaceRecord.gated - PlaceRecord.fromNumbers;

const BOUNDS = {
  [LeafKind.fromNumber]: PlaceRecord.fromNumbers,
  [LeafKind.belowNumber]: PlaceRecord.belowNumbers,
  [LeafKind.fromText]: PlaceRecord.fromTexts,
  [LeafKind.belowText]: PlaceRecord.belowTexts,
} as const;

function isText(image: Image, leaf: number): boolean {
  const kind = image.i32[leaf + LeafWords.what]! & 15;
  return kind === LeafKind.fromText || kind === LeafKind.belowText;
}

function numberOf(image: Image, leaf: number): number {
  return image.f64[(leaf + LeafWords.operand) >> 1]!;
}
