import { createFilterSet, type FilterDocument, type Query } from '../../../src/filters/index.js';
import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import {
  answersOf,
  asJson,
  changedKeys,
  differenceOf,
  documentOf,
  flipsOf,
  isFilter,
  parsed,
  type Failure,
} from './cases.js';
import type { Judge } from './judges.js';
import { randomDocument } from './random-documents.js';
import { randomFilters } from './random-filters.js';
import { randomOf, type Random } from './random.js';
import { shrink } from './shrink.js';
import { trustOf } from './trust.js';

const DOCUMENTS = 50;

export interface PairsTally {
  pairs: number;
  matching: number;
  flips: number;
  /** pairs about which at least two of the judges but `rules` were asked */
  askedOfTwo: number;
  /** pairs that a judge was asked about */
  asked: Record<string, number>;
}

export function emptyTally(judges: readonly Judge[]): PairsTally {
  const asked = Object.fromEntries(judges.map(({ name }) => [name, 0]));
  return { pairs: 0, matching: 0, flips: 0, askedOfTwo: 0, asked };
}

/**
 * Random filters, all in one set, asked with random documents: alone, all at once, and for what flips from one document
 * to the next; then the judges are asked. The same seed has the same batch.
 */
export async function tryPairs(
  seed: number,
  judges: readonly Judge[],
  tally: PairsTally,
): Promise<Failure | undefined> {
  const random = randomOf(seed);
  const docs = random.list(() => randomDocument(random), DOCUMENTS);
  const filters = randomFilters(random, random.pick([100, 200, 400]));
  const queries = new Map(filters.map((filter, number) => [number, parsed(filter)]));
  const answers = filters.map((_, number) => docs.map((doc) => queries.get(number)!.matches(doc)));
  tally.pairs += filters.length * docs.length;
  tally.matching += answers.flat().filter(Boolean).length;

  const inSet = await trySet(random, docs, filters, queries, tally);
  if (inSet !== undefined) return inSet;
  for (const judge of judges) await judge.show(docs);
  const timesAsked = filters.map(() => new Uint8Array(docs.length));
  for (const judge of judges) {
    const wrong = await Promise.all(
      filters.map(async (filter, number) => {
        const wanted = docs.map(trustOf(judge.leftOut, filter));
        const count = wanted.filter(Boolean).length;
        if (count === 0) return undefined;
        tally.asked[judge.name]! += count;
        if (judge.name !== 'rules')
          wanted.forEach((isWanted, i) => (timesAsked[number]![i]! += Number(isWanted)));
        const others = await judge.ask(filter, wanted);
        const at = wanted.findIndex((isWanted, i) => isWanted && others[i] !== answers[number]![i]);
        return at === -1 ? undefined : { filter, document: asJson(docs[at]!) };
      }),
    );
    const first = wrong.find((one) => one !== undefined);
    if (first !== undefined) return shrinkPair(judge, first);
  }
  for (const times of timesAsked) tally.askedOfTwo += times.filter((count) => count >= 2).length;
  return undefined;
}

async function shrinkPair(judge: Judge, pair: JsonObject): Promise<Failure> {
  const answersTo = async ({ filter, document }: JsonObject): Promise<JsonObject | undefined> => {
    const doc = documentOf(document);
    if (doc === undefined || !isFilter(filter) || !trustOf(judge.leftOut, filter)(doc)) return undefined;
    await judge.show([doc]);
    const [theirs] = await judge.ask(filter, [true]);
    const ours = parsed(filter).matches(doc);
    return theirs === ours ? undefined : { ours, theirs: theirs! };
  };
  const simplest = await shrink(pair, async (one) => (await answersTo(one)) !== undefined);
  return { against: judge.name, case: { ...simplest, ...(await answersTo(simplest)) } };
}

async function trySet(
  random: Random,
  docs: readonly FilterDocument[],
  filters: readonly JsonObject[],
  queries: ReadonlyMap<number, Query>,
  tally: PairsTally,
): Promise<Failure | undefined> {
  const set = createFilterSet();
  for (const [number, query] of queries) set.add(number, query);
  for (const [i, doc] of docs.entries()) {
    const bound = random.below(filters.length);
    if (differenceOf(answersOf(set, queries, doc, bound)) !== undefined)
      return shrinkSet({ filters: [...filters], document: asJson(doc), bound });
    if (i === 0) continue;
    const flips = flipsOf(set, queries, docs[i - 1]!, doc, changedOf(docs[i - 1]!, doc), bound);
    const { matched, unmatched } = flips.expected['all'] as { matched: JsonValue[]; unmatched: JsonValue[] };
    tally.flips += matched.length + unmatched.length;
    if (differenceOf(flips) !== undefined)
      return shrinkSet({ filters: [...filters], before: asJson(docs[i - 1]!), document: asJson(doc), bound });
  }
  return undefined;
}

function changedOf(before: FilterDocument, after: FilterDocument): string[] {
  return changedKeys(before.metadata, after.metadata);
}

/** Whether the filters in a set of their own answer otherwise than each alone. */
function differenceInSet({ filters, before, document, bound }: JsonObject): JsonObject | undefined {
  const doc = documentOf(document);
  if (!Array.isArray(filters) || !filters.every(isFilter) || doc === undefined) return undefined;
  const queries = new Map(filters.map((filter, number) => [number, parsed(filter)]));
  const set = createFilterSet();
  for (const [number, query] of queries) set.add(number, query);
  const limit = typeof bound === 'number' ? bound : 0;
  if (before === undefined) return differenceOf(answersOf(set, queries, doc, limit));
  const former = documentOf(before);
  if (former === undefined) return undefined;
  return differenceOf(flipsOf(set, queries, former, doc, changedOf(former, doc), limit));
}

async function shrinkSet(one: JsonObject): Promise<Failure> {
  const simplest = await shrink(one, (simpler) => differenceInSet(simpler) !== undefined);
  return { against: 'each filter alone', case: { ...simplest, ...differenceInSet(simplest) } };
}
