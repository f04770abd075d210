import { createFilterSet, type FilterDocument, type Query } from '../../../src/filters/index.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/model/json.js';
import {
  answersOf,
  changedKeys,
  differenceOf,
  differingNumbers,
  flipsOf,
  isFilter,
  lazyForm,
  parsed,
  type Failure,
} from './cases.js';
import { KEYS, randomMetadata, randomValue, VERSIONS } from './random-documents.js';
import { randomFilters, randomSimpleFilters } from './random-filters.js';
import { randomOf, type Random } from './random.js';
import { shrink } from './shrink.js';

/**
 * One thing that is done, as it stands in a case: `{add, filter}` (another filter of this number is replaced),
 * `{remove}`, or `{endpoint, version, metadata, extra?, bound}`: what an endpoint is from now on; the first is its
 * registration. `extra`: keys that are named as changed, too.
 */
type Step = JsonObject;

export interface SequencesTally {
  updates: number;
  flips: number;
  /** filters evaluated one by one, for what should have been found */
  evaluations: number;
  largest: number;
}

/** Updates of some endpoints, while filters come, go and are replaced; the set is emptied and filled again at times. */
export async function trySequence(
  seed: number,
  most: number,
  updates: number,
  tally: SequencesTally,
): Promise<Failure | undefined> {
  const steps = randomSteps(randomOf(seed), most, updates);
  const difference = differenceAlong(steps, tally);
  if (difference === undefined) return undefined;
  const simplest = await shrink(
    fewerOf(steps, difference),
    (simpler) => differenceAlong(simpler) !== undefined,
  );
  return { against: 'full evaluations', case: { steps: simplest, ...differenceAlong(simplest) } };
}

/** The steps up to the difference, and of those only the ones that touch what differs, where that is enough. */
function fewerOf(steps: Step[], difference: JsonObject): Step[] {
  const until = steps.slice(0, (difference['at'] as number) + 1);
  const { endpoint } = until.at(-1)!;
  const wrong = differingNumbers(difference);
  const touching = until.filter(
    (step) =>
      (endpoint !== undefined && step['endpoint'] === endpoint) ||
      wrong.has(step['add'] as number) ||
      wrong.has(step['remove'] as number),
  );
  return differenceAlong(touching) === undefined ? until : touching;
}

function randomSteps(random: Random, most: number, updates: number): Step[] {
  const steps: Step[] = [];
  const numbers: number[] = [];
  const made = (count: number): JsonObject[] =>
    random.chance(60) ? randomFilters(random, count) : randomSimpleFilters(random, count);
  let spare = made(Math.min(most, 500));
  const add = (): void => {
    if (spare.length === 0) spare = made(Math.min(most, 500));
    // Numbers come in no order, and are used again.
    const number = random.below(most * 2);
    numbers.push(number);
    steps.push({ add: number, filter: spare.pop()! });
  };
  const remove = (): void => {
    const at = random.below(numbers.length);
    steps.push({ remove: numbers[at]! });
    numbers[at] = numbers.at(-1)!;
    numbers.pop();
  };
  for (let i = random.below(most); i >= 0; i--) add();
  const metadata: JsonObject[] = random.list(() => randomMetadata(random), 4);
  for (let done = 0; done < updates; done++) {
    const burst = random.chance(6) ? random.below(most) : random.below(6);
    if (random.chance(2)) while (numbers.length > 0) remove();
    else for (let i = 0; i < burst && numbers.length > 0; i++) remove();
    for (let i = random.chance(6) ? random.below(most - numbers.length) : random.below(6); i > 0; i--)
      if (numbers.length < most) add();
    const endpoint = random.below(metadata.length);
    metadata[endpoint] = changed(random, metadata[endpoint]!);
    steps.push({
      endpoint,
      version: random.chance(80) ? VERSIONS[endpoint % 2]! : random.pick(VERSIONS),
      metadata: metadata[endpoint],
      bound: random.below(most * 2),
      ...(random.chance(20) ? { extra: random.list(() => random.pick(KEYS), 2) } : {}),
    });
  }
  return steps;
}

/** One key most often, as devices do; keys come, go, and move when they are removed and added again. */
function changed(random: Random, metadata: JsonObject): JsonObject {
  const set = (key: string): JsonObject => ({ ...metadata, [key]: nextValue(random, metadata[key]) });
  const without = (key: string): JsonObject =>
    Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== key));
  return random.weighted<JsonObject>([
    [12, () => set(random.pick(KEYS))],
    [2, () => without(random.pick(KEYS))],
    [1, () => randomMetadata(random)],
    [1, () => ({})],
    [1, () => metadata],
    [2, () => ({ ...metadata, ...randomMetadata(random) })],
    [
      2,
      () => {
        const key = random.pick(KEYS);
        return { ...without(key), [key]: nextValue(random, metadata[key]) };
      },
    ],
  ]);
}

/** Often near the value before, as measurements are. */
function nextValue(random: Random, value: JsonValue | undefined): JsonValue {
  if (typeof value === 'number' && random.chance(60))
    return Math.round(value * 10 + random.below(21) - 10) / 10;
  if (Array.isArray(value) && random.chance(40))
    return [...value.slice(random.below(2)), randomValue(random, 1)];
  return randomValue(random);
}

/**
 * The first difference between what the set tells along the steps and what evaluating each filter before and after
 * tells; undefined where there is none, or where a step makes no sense.
 */
function differenceAlong(steps: JsonValue, tally?: SequencesTally): JsonObject | undefined {
  if (!Array.isArray(steps)) return undefined;
  // a handful of filters is to have sections
  const set = createFilterSet({ long: 2, beside: 1 });
  const queries = new Map<number, Query>();
  const endpoints = new Map<JsonValue, FilterDocument>();
  for (const [at, step] of steps.entries()) {
    if (!isJsonObject(step)) return undefined;
    const { add, filter, remove, endpoint } = step;
    if (typeof add === 'number' && isFilter(filter)) {
      queries.set(add, parsed(filter));
      set.add(add, queries.get(add)!);
    } else if (typeof remove === 'number') {
      queries.delete(remove);
      set.remove(remove);
    } else if (endpoint !== undefined) {
      const after = documentOf(step);
      if (after === undefined) return undefined;
      const before = endpoints.get(endpoint);
      const difference = differenceOfUpdate(before, after, step);
      if (difference !== undefined) return { at, ...difference };
      endpoints.set(endpoint, after);
    } else return undefined;
    if (set.size !== queries.size) return { at, found: set.size, expected: queries.size };
  }
  return undefined;

  function differenceOfUpdate(
    before: FilterDocument | undefined,
    after: FilterDocument,
    { bound, extra }: Step,
  ): JsonObject | undefined {
    const limit = typeof bound === 'number' ? bound : 0;
    // Half of the documents as workers have them.
    const form = (doc: FilterDocument): FilterDocument => (limit % 2 === 0 ? lazyForm(doc) : doc);
    if (tally !== undefined) {
      tally.updates++;
      tally.evaluations += queries.size * (before === undefined ? 1 : 2);
      tally.largest = Math.max(tally.largest, queries.size);
    }
    const registered = before === undefined || limit % 8 === 0;
    const difference = registered ? differenceOf(answersOf(set, queries, form(after), limit)) : undefined;
    if (difference !== undefined || before === undefined) return difference;
    const keys = new Set(changedKeys(before.metadata, after.metadata));
    if (keys.size === 0) movedKeys(before.metadata, after.metadata).forEach((key) => keys.add(key));
    if (Array.isArray(extra)) for (const key of extra) if (typeof key === 'string') keys.add(key);
    const flips = flipsOf(set, queries, form(before), form(after), [...keys], limit);
    if (tally !== undefined) {
      const { matched, unmatched } = flips.expected['all'] as Record<string, JsonValue[]>;
      tally.flips += matched!.length + unmatched!.length;
    }
    return differenceOf(flips);
  }
}

/** A key that was removed and added again has changed, though its value is the former one. */
function movedKeys(before: JsonObject, after: JsonObject): string[] {
  const former = Object.keys(before);
  return Object.keys(after).filter((key, i) => former[i] !== key);
}

function documentOf({ endpoint, version, metadata }: Step): FilterDocument | undefined {
  const isOne = typeof version === 'string' && metadata !== undefined && isJsonObject(metadata);
  return isOne
    ? { endpointId: `e${JSON.stringify(endpoint)}`, applicationVersion: version, metadata }
    : undefined;
}
