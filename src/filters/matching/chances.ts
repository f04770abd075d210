import type { Dictionary } from './dictionary.js';
import type { Image } from './image.js';
import { PlaceRecord, TraitKind, TraitRecord } from './layout.js';

/** Of a value being on the wanted side of a bound: not known, so that a trait of average values goes before. */
export const CHANCE_OF_BOUND = 0.4;

/** How likely a document has one of the traits, 0 standing for a bound; more than 1 when several are likely. */
export function chanceOfSet(traits: readonly number[], dictionary: Dictionary): number {
  let chance = 0;
  for (const trait of traits) chance += chanceOf(dictionary, trait);
  return chance;
}

/** Documents that a place must have seen before their word counts. */
const ENOUGH_SEEN = 100;
/** Queries by one trait that weigh as much as the trait being there always: ties go to the less used. */
const CROWD = 1e6;

/** How likely a document has the trait: by those that were seen, or guessed from how many values conditions name. */
export function chanceOf(dictionary: Dictionary, trait: number): number {
  if (trait === 0) return CHANCE_OF_BOUND;
  const { image } = dictionary;
  const { i32 } = image;
  const place = dictionary.placeOf(i32[trait + TraitRecord.what]! >>> 4);
  const seen = i32[place + PlaceRecord.seen]!;
  const gated = i32[trait + TraitRecord.gated]!;
  const crowd = gated === 0 ? 0 : i32[gated + 1]! / CROWD;
  if (seen >= ENOUGH_SEEN) return (i32[trait + TraitRecord.seen]! + 0.5) / (seen + 1) + crowd;
  return guessOf(image, place, (i32[trait + TraitRecord.what]! & 15) as TraitKind) + crowd;
}

function guessOf(image: Image, place: number, kind: TraitKind): number {
  switch (kind) {
    case TraitKind.exists:
      return 0.9;
    case TraitKind.type:
    case TraitKind.size:
      return 0.5;
    case TraitKind.gram:
    case TraitKind.anchoredGram:
    case TraitKind.lowerGram:
    case TraitKind.anchoredLowerGram:
      return 0.05;
    default:
      return 1 / (1 + image.i32[place + PlaceRecord.values]!);
  }
}
