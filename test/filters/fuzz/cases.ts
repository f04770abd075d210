import { parseQuery, type FilterSet, type FilterDocument, type Query } from '../../../src/filters/index.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/model/json.js';

/** What went wrong, as small as it could be made, with all that is needed to have it again. */
export interface Failure {
  /** who says otherwise than we */
  against: string;
  /** what was asked, and both answers */
  case: JsonObject;
}

/** @throws Error with the faults */
export function parsed(filter: JsonObject): Query {
  const result = parseQuery(filter);
  if (!result.ok) throw new Error(`${JSON.stringify(filter)}: ${JSON.stringify(result.faults)}`);
  return result.query;
}

export function isFilter(value: JsonValue | undefined): value is JsonObject {
  return value !== undefined && isJsonObject(value) && parseQuery(value).ok;
}

/** A document as it stands in a case: shrinking must leave one. */
export function documentOf(value: JsonValue | undefined): FilterDocument | undefined {
  if (value === undefined || !isJsonObject(value)) return undefined;
  const { endpointId, applicationVersion, metadata } = value;
  const isOne =
    typeof endpointId === 'string' &&
    typeof applicationVersion === 'string' &&
    metadata !== undefined &&
    isJsonObject(metadata);
  return isOne ? { endpointId, applicationVersion, metadata } : undefined;
}

export function asJson({ endpointId, applicationVersion, metadata }: FilterDocument): JsonObject {
  return { endpointId, applicationVersion, metadata };
}

/** The document as a worker has it: single values are to be had without the others. */
export function lazyForm(doc: FilterDocument): FilterDocument {
  const { metadata } = doc;
  return {
    endpointId: doc.endpointId,
    applicationVersion: doc.applicationVersion,
    get metadata() {
      return metadata;
    },
    value: (key) => (Object.hasOwn(metadata, key) ? metadata[key] : undefined),
  };
}

/** Metadata keys that were added, updated or removed. */
export function changedKeys(before: JsonObject, after: JsonObject): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => {
    const isThere = Object.hasOwn(after, key);
    return isThere !== Object.hasOwn(before, key) || !isSame(before[key], after[key]);
  });
}

function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b) && !hasNegativeZero(a) && !hasNegativeZero(b);
}

/** JSON text does not tell -0 from 0, `$type` does. */
function hasNegativeZero(value: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0);
  return Object.values(value).some(hasNegativeZero);
}

/** What the set answers, beside what its filters answer one by one. Numbers are those of the queries. */
export interface SetAnswers {
  found: JsonObject;
  expected: JsonObject;
}

export function answersOf(
  set: FilterSet,
  queries: ReadonlyMap<number, Query>,
  doc: FilterDocument,
  since: number,
): SetAnswers {
  const expected = numbersOf(queries, (query) => query.matches(doc));
  return {
    found: { all: set.matchAll(doc), since: set.matchAll(doc, since) },
    expected: { all: expected, since: expected.filter((number) => number > since) },
  };
}

export function flipsOf(
  set: FilterSet,
  queries: ReadonlyMap<number, Query>,
  before: FilterDocument,
  after: FilterDocument,
  keys: readonly string[],
  upTo: number,
): SetAnswers {
  const matched: number[] = [];
  const unmatched: number[] = [];
  for (const [number, query] of queries) {
    const isMatch = query.matches(after);
    if (isMatch !== query.matches(before)) (isMatch ? matched : unmatched).push(number);
  }
  const sorted = (numbers: number[], limit = Infinity): number[] =>
    numbers.filter((number) => number <= limit).sort((a, b) => a - b);
  return {
    found: {
      all: { ...set.findFlips(before, after, keys) },
      upTo: { ...set.findFlips(before, after, keys, upTo) },
    },
    expected: {
      all: { matched: sorted(matched), unmatched: sorted(unmatched) },
      upTo: { matched: sorted(matched, upTo), unmatched: sorted(unmatched, upTo) },
    },
  };
}

function numbersOf(queries: ReadonlyMap<number, Query>, holds: (query: Query) => boolean): number[] {
  return [...queries]
    .filter(([, query]) => holds(query))
    .map(([number]) => number)
    .sort((a, b) => a - b);
}

/** The difference, or undefined where there is none. */
export function differenceOf({ found, expected }: SetAnswers): JsonObject | undefined {
  return JSON.stringify(found) === JSON.stringify(expected) ? undefined : { found, expected };
}

/** The numbers that are in one answer and not in the other, or oftener. */
export function differingNumbers({ found, expected }: JsonObject): Set<number> {
  const counts = new Map<number, number>();
  const count = (value: JsonValue | undefined, by: number): void => {
    if (typeof value === 'number') counts.set(value, (counts.get(value) ?? 0) + by);
    else if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) count(inner, name === 'unmatched' ? 3 * by : by);
  };
  count(found, 1);
  count(expected, -1);
  return new Set([...counts].filter(([, times]) => times !== 0).map(([number]) => number));
}
