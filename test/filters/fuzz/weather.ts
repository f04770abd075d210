import { createFilterSet, type FilterDocument, type Query } from '../../../src/filters/index.js';
import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import { readObservations, readStations } from '../weather-fleet.js';
import {
  answersOf,
  asJson,
  changedKeys,
  differenceOf,
  differingNumbers,
  flipsOf,
  parsed,
  type Failure,
} from './cases.js';
import { randomOf, type Random } from './random.js';
import type { SequencesTally } from './sequences.js';

/** Alerts on what stations really report, while filters come and go; flips against evaluations of each filter. */
export async function tryWeather(
  seed: number,
  most: number,
  updates: number,
  tally: SequencesTally,
): Promise<Failure | undefined> {
  const random = randomOf(seed);
  const fleet = readStations();
  const all = readObservations();
  const from = random.below(Math.max(1, all.length - updates));
  for (const { endpointId, set } of all.slice(0, from))
    fleet.set(endpointId, reported(fleet.get(endpointId)!, set));
  const reports = all.slice(from, from + updates);
  const samples = reports.map(({ endpointId, set }) => ({ ...fleet.get(endpointId)!.metadata, ...set }));

  const filters = createFilterSet({ long: 16, beside: 8 });
  const queries = new Map<number, Query>();
  const add = (number: number): void => {
    const query = parsed(randomAlert(random, samples));
    queries.set(number, query);
    filters.add(number, query);
  };
  for (let number = 0; number < most; number++) add(number);
  tally.largest = Math.max(tally.largest, queries.size);
  for (const [i, { endpointId, set }] of reports.entries()) {
    for (let replaced = random.below(8); replaced > 0; replaced--) add(random.below(most));
    const gone = random.below(most);
    queries.delete(gone);
    filters.remove(gone);
    const before = fleet.get(endpointId)!;
    const after = reported(before, set);
    fleet.set(endpointId, after);
    const bound = random.below(most);
    const flips = flipsOf(
      filters,
      queries,
      before,
      after,
      changedKeys(before.metadata, after.metadata),
      bound,
    );
    const { matched, unmatched } = flips.expected['all'] as Record<string, JsonValue[]>;
    tally.updates++;
    tally.flips += matched!.length + unmatched!.length;
    tally.evaluations += 2 * queries.size;
    const all = i % 8 === 0 ? differenceOf(answersOf(filters, queries, after, bound)) : undefined;
    const difference = differenceOf(flips) ?? all;
    if (difference !== undefined) return failureOf(queries, before, after, difference);
  }
  return undefined;
}

function reported(before: FilterDocument, set: JsonObject): FilterDocument {
  return { ...before, metadata: { ...before.metadata, ...set } };
}

/** The documents, and the filters about which the answers differ. */
function failureOf(
  queries: ReadonlyMap<number, Query>,
  before: FilterDocument,
  after: FilterDocument,
  difference: JsonObject,
): Failure {
  const filters = Object.fromEntries(
    [...differingNumbers(difference)].map((number) => [number, queries.get(number)?.source ?? null]),
  );
  return {
    against: 'full evaluations',
    case: { before: asJson(before), after: asJson(after), filters, ...difference },
  };
}

/** One to three conditions on what some station reports, or nearly. */
function randomAlert(random: Random, samples: readonly JsonObject[]): JsonObject {
  const sample = random.pick(samples);
  const keys = Object.keys(sample);
  const clauses = random.list(
    () => {
      const key = random.chance(40)
        ? random.pick(['temp_c', 'wind_speed_kt', 'flight_category', 'sky'])
        : random.pick(keys);
      return { metadata: { $elemMatch: { key, ...conditionOn(random, sample[key] ?? 0) } } };
    },
    3,
    1,
  );
  if (clauses.length === 1) return clauses[0]!;
  return { [random.pick(['$and', '$and', '$or', '$nor'])]: clauses };
}

function conditionOn(random: Random, value: JsonValue): JsonObject {
  if (typeof value === 'number') {
    const near = Math.round((value + random.below(11) - 5) * 10) / 10;
    return random.weighted<JsonObject>([
      [4, () => ({ value: { [random.pick(['$gt', '$gte', '$lt', '$lte'])]: near } })],
      [2, () => ({ value: { $gte: near, $lt: near + random.below(10) } })],
      [1, () => ({ value: near })],
      [1, () => ({ value: { $in: random.list(() => near + random.below(10), 5, 1) } })],
    ]);
  }
  if (typeof value === 'string')
    return random.weighted<JsonObject>([
      [3, () => ({ value })],
      [1, () => ({ value: { $ne: value } })],
      [1, () => ({ value: { $in: [value, 'IFR', 'LIFR'] } })],
      [1, () => ({ value: { [random.pick(['$gt', '$lte'])]: value } })],
      [1, () => ({ value: { $regex: `^${value.slice(0, 2).replace(/\W/g, '.')}` } })],
    ]);
  if (Array.isArray(value)) {
    const element = value.length > 0 ? random.pick(value) : 'RA';
    if (typeof element !== 'object' || element === null)
      return { value: random.chance(50) ? element : { $all: [element], $size: value.length } };
    const [name, inner] = random.pick(Object.entries(element));
    const operand = typeof inner === 'number' ? { [random.pick(['$lt', '$gte'])]: inner } : inner;
    return random.chance(50)
      ? { value: { $elemMatch: { [name]: operand } } }
      : { [`value.${name}`]: operand };
  }
  if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
    const [name, inner] = random.pick(Object.entries(value));
    return {
      [`value.${name}`]: typeof inner === 'number' ? { [random.pick(['$lt', '$gte'])]: inner } : inner,
    };
  }
  return random.chance(50) ? { value } : { value: { $exists: true } };
}
