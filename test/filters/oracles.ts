import { Query as MingoQuery } from 'mingo';
import * as siftModule from 'sift';
import type { JsonObject, JsonValue } from '../../src/model/json.js';

type Sift = (query: JsonObject) => (document: JsonObject) => boolean;

type Oracle = (document: JsonObject) => boolean;

export function mingoOf(query: JsonObject): Oracle {
  const compiled = new MingoQuery(query);
  return (document) => compiled.test(document);
}

export function siftOf(query: JsonObject): Oracle {
  return (siftModule.default as unknown as Sift)(query);
}

export function mingoMatches(query: JsonObject, document: JsonObject): boolean {
  return mingoOf(query)(document);
}

export function siftMatches(query: JsonObject, document: JsonObject): boolean {
  return siftOf(query)(document);
}

/** Where a library is known to differ from MongoDB, so that its word is not asked; each has its example in deviations.test.ts. */
export interface Deviation {
  reason: string;
  applies(queryText: string, metadata: JsonObject): boolean;
}

const BOTH: Deviation[] = [
  { reason: '$mod turns other types into numbers', applies: (text) => text.includes('"$mod"') },
  { reason: '$type has no BSON numbers', applies: (text) => text.includes('"$type"') },
  { reason: 'order of documents and arrays', applies: (text) => /"\$[gl]te?":[[{]/.test(text) },
  {
    reason: '$elemMatch on documents enters scalars',
    applies: (text, metadata) => /"\$elemMatch":\{"[ab]"/.test(text) && hasArray(metadata),
  },
];

export const MINGO_DEVIATIONS: Deviation[] = [
  ...BOTH,
  {
    reason: 'a path through an array that has nothing there',
    applies: (text, metadata) => /"value\.[ab]/.test(text) && hasArray(metadata),
  },
  { reason: 'paths through the metadata itself', applies: (text) => text.includes('"metadata.') },
  { reason: '$all on a scalar', applies: (text) => text.includes('"$all"') },
  { reason: 'order of null', applies: (text) => /"\$[gl]te?":null/.test(text) },
  {
    reason: '$in and $nin with documents or arrays on either side',
    applies: (text, metadata) =>
      /"\$n?in"/.test(text) && (hasNested(metadata) || /"\$n?in":\[[^\]]*[[{]/.test(text)),
  },
  { reason: 'literal documents with arrays inside', applies: (text) => /\{"[ab]":\[/.test(text) },
];

export const SIFT_DEVIATIONS: Deviation[] = [
  ...BOTH,
  { reason: '$all: [] matches everything', applies: (text) => text.includes('"$all":[]') },
  {
    reason: 'a path through an array that has nothing there',
    applies: (text, metadata) => /"(?:metadata|value)\.[^"]*"/.test(text) && hasArray(metadata),
  },
  { reason: 'order of null', applies: (text) => /"\$[gl]te?":null/.test(text) },
  {
    reason: 'a null in a literal document equals a missing field',
    applies: (text) => /"[ab]":null/.test(text),
  },
];

function hasNested(metadata: JsonObject): boolean {
  return Object.values(metadata).some((value) => typeof value === 'object' && value !== null);
}

function hasArray(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.values(value).some(hasArray);
}
