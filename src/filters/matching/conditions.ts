import { compareTexts } from './bounds.js';
import { type DocumentState, Yield } from './document-state.js';
import type { Image } from './image.js';
import { bitOf, LeafKind, LeafWords, TraitRecord, TraitSet } from './layout.js';
import type { Several } from './several.js';

// Whether a condition that is not evaluated holds; at `leaf` a leaf, or the guard of a posting.

/** Of a place that was looked at and yields one value, or none. */
export function holdsOfScalar(image: Image, leaf: number, side: DocumentState): boolean {
  const { i32, f32, f64 } = image;
  const what = i32[leaf + LeafWords.what]!;
  const kind = what & 15;
  const placeId = what >>> 4;
  const at = leaf + LeafWords.operand;
  const operand = i32[at]!;
  switch (kind) {
    case LeafKind.trait:
      return side.trait[placeId] === operand;
    case LeafKind.traits:
      return (i32[at + 1]! & bitOf(side.trait[placeId]!)) !== 0 && isIn(image, operand, side.trait[placeId]!);
    case LeafKind.exists:
      return side.kind[placeId] === Yield.scalar;
    case LeafKind.fromNumber:
      return side.number[placeId]! >= f64[at >> 1]!;
    case LeafKind.belowNumber:
      return side.number[placeId]! < f64[at >> 1]!;
    case LeafKind.betweenNumbers:
      return side.number[placeId]! >= f32[at]! && side.number[placeId]! < f32[at + 1]!;
    default: {
      const value = side.value[placeId];
      if (typeof value !== 'string') return false;
      const order = compare(image, value, operand);
      return kind === LeafKind.fromText ? order >= 0 : order < 0;
    }
  }
}

/** Of a place that was looked at and yields several values. */
export function holdsOfSeveral(image: Image, leaf: number, several: Several): boolean {
  const operand = image.i32[leaf + LeafWords.operand]!;
  const bound = image.f64[(leaf + LeafWords.operand) >> 1]!;
  switch (image.i32[leaf + LeafWords.what]! & 15) {
    case LeafKind.trait:
      return several.has(operand);
    case LeafKind.traits:
      for (const trait of several.plain) if (isIn(image, operand, trait)) return true;
      return false;
    case LeafKind.exists:
      return several.exists;
    case LeafKind.fromNumber:
      return several.greatest >= bound;
    case LeafKind.belowNumber:
      return several.least < bound;
    case LeafKind.betweenNumbers: {
      const { f32 } = image;
      return (
        several.greatest >= f32[leaf + LeafWords.operand]! &&
        several.least < f32[leaf + LeafWords.operand + 1]!
      );
    }
    case LeafKind.fromText: {
      const { greatestText } = several;
      return greatestText !== undefined && compare(image, greatestText, operand) >= 0;
    }
    default: {
      const { leastText } = several;
      return leastText !== undefined && compare(image, leastText, operand) < 0;
    }
  }
}

function compare(image: Image, value: string, bound: number): number {
  return compareTexts(image, value, image.i32[bound + TraitRecord.operand]!);
}

function isIn({ i32 }: Image, set: number, trait: number): boolean {
  if (trait === 0) return false;
  let low = set + TraitSet.firstTrait;
  let high = low + i32[set + TraitSet.count]! - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = i32[middle]!;
    if (found === trait) return true;
    if (found < trait) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
