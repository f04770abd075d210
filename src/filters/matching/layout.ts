/** Words of each kind of record in an image. Records that are found by content have its hash first. */

/** A metadata key that conditions name. */
export const KeyRecord = { hash: 0, text: 1, firstPlace: 2, words: 4 } as const;

/** What conditions look at: a path in a key, the version, the id, or anything. */
export const PlaceRecord = {
  id: 0,
  /** place of the KeyRecord; of other roots, 0 */
  key: 1,
  /** JSON text of the path; 0: empty */
  path: 2,
  /** the next place of the same key */
  next: 3,
  /** leaves, traits and filters that need it */
  references: 4,
  /** the trait `exists`; 0: nobody asks */
  exists: 5,
  /** how many traits it has of values, by which the chance of one is guessed */
  values: 6,
  /** how many it has of the kinds that cost a look at more than the value itself */
  grams: 7,
  types: 8,
  sizes: 9,
  jsons: 10,
  bounds: 11,
  /** evaluated conditions that depend on it: a list */
  evaluated: 12,
  lowerGrams: 13,
  /** documents that were looked at, for the shares of traits among them */
  seen: 14,
  serial: 15,
  /** bounds of numbers and texts: what holds from them on, and what holds below */
  fromNumbers: 16,
  belowNumbers: 17,
  fromTexts: 18,
  belowTexts: 19,
  /** of each of these, its sections */
  sections: 20,
  /** the same bounds, of queries that are looked for by them in documents that are new */
  gated: 24,
  /** how many evaluated conditions are listed at its traits */
  needed: 28,
  words: 32,
} as const;

/** Ids of the places that are always there. */
export const PlaceId = { any: 1, version: 2, id: 3 } as const;

/** Something that a place of a document can have. */
export const TraitRecord = {
  hash: 0,
  /** kind | place id << 4 */
  what: 1,
  references: 2,
  /** queries with the condition that it is there: a list of guards */
  queries: 3,
  /** a double, or in the first word the place of a text, which is right behind the record */
  operand: 4,
  /** documents that had it, of those that the place has seen */
  seen: 6,
  /** sections of its queries */
  sections: 7,
  /** queries that are looked for by it in documents that are new: a list of guards */
  gated: 8,
  /** evaluated conditions that can hold only where it is: a list */
  evaluated: 9,
  words: 12,
} as const;

export const TraitKind = {
  number: 1,
  constant: 2,
  type: 3,
  size: 4,
  exists: 5,
  anchoredGram: 6,
  gram: 7,
  anchoredLowerGram: 8,
  lowerGram: 9,
  // what follows has a text as operand
  text: 10,
  json: 11,
  /** the bound of an order of texts: nothing that a document has, but shared in the same way */
  bound: 12,
} as const;
export type TraitKind = (typeof TraitKind)[keyof typeof TraitKind];

/** A condition that is evaluated, each distinct one once for a document. */
export const OpaqueRecord = {
  hash: 0,
  /** its expression as JSON text */
  text: 1,
  references: 2,
  /** queries that have it: a list of guards */
  queries: 3,
  /** ids of the places it depends on */
  places: 4,
  serial: 5,
  /** traits of which one must be there for it to hold: a list; 0: it is listed at its places */
  needs: 6,
  /** sections of its queries */
  sections: 7,
  words: 8,
} as const;

/** From the word that names a list of queries for flips, or bounds for them, to the word that names its sections. */
export const SECTIONS = 4;

/** A section of a list: the queries in it have the same trait as their guard. Named by the word of the list, and the trait. */
export const SectionRecord = { hash: 0, list: 1, owner: 2, trait: 3, words: 4 } as const;

/** What the sections of a list are counted by: `[capacity, count, 0, 0, (this)...]`, one for each place of guards. */
export const SectionedPlace = {
  place: 0,
  /** queries in sections */
  inSections: 1,
  /** queries that were added beside the sections, since the list was found long */
  beside: 2,
  words: 4,
} as const;

/** Traits of which one is wanted, ascending by their places: `[hash, references, count, traits...]`. */
export const TraitSet = { hash: 0, references: 1, count: 2, firstTrait: 3 } as const;

/** The bit of a trait among 32. */
export function bitOf(trait: number): number {
  return 1 << (Math.imul(trait, 0x9e3779b1) >>> 27);
}

/** A query: a program over leaves, shared by all filters that come to the same. */
export const QueryRecord = {
  hash: 0,
  leaves: 1,
  id: 2,
  /** numbers of its filters */
  numbers: 3,
  /** sets of traits of which one must be there: `[words, sets, (length, (trait, leaf that asks)...)...]`; 0: there is none */
  gates: 4,
  /** where in that block the set begins that it is listed by */
  gate: 5,
  /** 1: it holds if all of its leaves do, or do not where they are negated */
  conjunction: 6,
  /** 1: without leaves it is always true */
  constant: 7,
  firstLeaf: 8,
} as const;

/**
 * A leaf of a program: what to look at and how (`kind | place id << 4`), where to go on (when true << 16 | when false),
 * and an operand of two words.
 */
export const LeafWords = { what: 0, next: 1, operand: 2, words: 4 } as const;

export const LeafKind = {
  trait: 1,
  exists: 2,
  /** operand: a record of traits, TraitSet, and a bit for each of them: most that are not in it are told from that */
  traits: 3,
  fromNumber: 4,
  belowNumber: 5,
  fromText: 6,
  belowText: 7,
  evaluated: 8,
  /** of guards only, two leaves as one: from a number and below another; operand: both as floats, the range not smaller */
  betweenNumbers: 9,
} as const;

export const GO_TRUE = 0xffff;
export const GO_FALSE = 0xfffe;
/** Leaves that a program can have. */
export const MOST_LEAVES = 0xfff0;

/** A filter: in a table of its own, in the order of numbers. */
export const FilterRecord = {
  number: 0,
  query: 1,
  /** text of its id; plus 1 when it is active */
  id: 2,
  name: 3,
  words: 4,
} as const;

/**
 * A guard: a query, and a condition of it without which it need not be looked at. Laid out as a leaf is, with the query in
 * the place of where to go on; `what` is 0 when there is none.
 */
export const Posting = { what: 0, query: 1, operand: 2, words: 4 } as const;
