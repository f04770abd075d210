import { addNumber, addText, removeNumber, removeText } from './bounds.js';
import type { Dictionary } from './dictionary.js';
import { addGuarded, removeGuarded } from './guards.js';
import type { Image } from './image.js';
import { LeafKind, LeafWords, OpaqueRecord, PlaceRecord, TraitRecord, TraitSet } from './layout.js';
import { listAdd, listItem, listLength, listRemove } from './lists.js';

/**
 * Lists a query by one of its conditions, such that a change which flips the condition leads to it: by a trait at the
 * trait, by a bound among the bounds of its place, by an evaluated condition at that. Each condition is there once,
 * whatever queries have it.
 */
export class Postings {
  private readonly image: Image;

  constructor(private readonly dictionary: Dictionary) {
    this.image = dictionary.image;
  }

  /** @param guard another leaf, without which a flip of this one changes nothing; 0: none */
  add(query: number, leaf: number, guard: number): void {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    switch (image.i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.trait:
      case LeafKind.exists:
        return this.addTo(operand + TraitRecord.queries, query, guard);
      case LeafKind.traits:
        for (let i = 0; i < image.i32[operand + TraitSet.count]!; i++)
          this.addTo(image.i32[operand + TraitSet.firstTrait + i]! + TraitRecord.queries, query, guard);
        return;
      case LeafKind.evaluated: {
        if (image.i32[operand + OpaqueRecord.queries] === 0) this.listOpaque(operand);
        return this.addTo(operand + OpaqueRecord.queries, query, guard);
      }
      default:
        this.addToBounds(this.boundsAt(leaf), query, leaf, guard);
    }
  }

  /** Lists a query at a bound for documents that are new. */
  addGate(query: number, leaf: number, guard: number): void {
    this.addToBounds(this.boundsAt(leaf) + GATED, query, leaf, guard);
  }

  removeGate(query: number, leaf: number): void {
    this.removeFromBounds(this.boundsAt(leaf) + GATED, query, leaf);
  }

  private addToBounds(at: number, query: number, leaf: number, guard: number): void {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    const changed = isText(image, leaf)
      ? addText(image, image.i32[at]!, operand, query, guard)
      : addNumber(image, image.i32[at]!, numberOf(image, leaf), query, guard);
    image.i32[at] = changed;
  }

  private removeFromBounds(at: number, query: number, leaf: number): void {
    const { image } = this;
    const bounds = image.i32[at]!;
    image.i32[at] = isText(image, leaf)
      ? removeText(image, bounds, image.i32[leaf + LeafWords.operand]!, query)
      : removeNumber(image, bounds, numberOf(image, leaf), query);
  }

  /** Removes what was added once with this query and leaf. */
  remove(query: number, leaf: number): void {
    const { image } = this;
    const operand = image.i32[leaf + LeafWords.operand]!;
    switch (image.i32[leaf + LeafWords.what]! & 15) {
      case LeafKind.trait:
      case LeafKind.exists:
        return this.removeFrom(operand + TraitRecord.queries, query);
      case LeafKind.traits:
        for (let i = 0; i < image.i32[operand + TraitSet.count]!; i++)
          this.removeFrom(image.i32[operand + TraitSet.firstTrait + i]! + TraitRecord.queries, query);
        return;
      case LeafKind.evaluated:
        this.removeFrom(operand + OpaqueRecord.queries, query);
        if (image.i32[operand + OpaqueRecord.queries] === 0) this.unlistOpaque(operand);
        return;
      default:
        this.removeFromBounds(this.boundsAt(leaf), query, leaf);
    }
  }

  /** @param at the word that names a list of guards */
  addTo(at: number, query: number, guard: number): void {
    const list = addGuarded(this.image, this.image.i32[at]!, query, guard);
    this.image.i32[at] = list;
  }

  removeFrom(at: number, query: number): void {
    const list = removeGuarded(this.image, this.image.i32[at]!, query);
    this.image.i32[at] = list;
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
