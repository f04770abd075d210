import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import { IDS, KEYS, NAMES, randomScalar, randomValue, VERSIONS } from './random-documents.js';
import type { Random } from './random.js';

const ENTRY_PATHS = [
  'value.a',
  'value.b',
  'value.a.b',
  'value.constructor',
  'value.0',
  'value.1',
  'value.0.a',
  'value.a.0',
  'value.0.0',
  'value.0.b.0',
];
const DOCUMENT_PATHS = [
  'metadata.key',
  'metadata.value',
  'metadata.value.a',
  'metadata.value.0',
  'metadata.0',
  'metadata.0.key',
  'metadata.1.key',
  'metadata.0.value',
  'metadata.1.value.a',
  'metadata',
];
const ELEMENT_PATHS = [...NAMES, 'a.b', 'a.0', '0.a'];
const PLAIN_FIELDS = ['application_version', 'endpoint_id', 'unknown', 'unknown.field', 'endpoint_id.a'];

const TYPES = ['double', 'string', 'object', 'array', 'bool', 'null', 'int', 'number', 'long', 1, 2, 16];
const PATTERNS = ['a', '^a', 'b$', 'A', '^.$', '[ab]{2}', '^s1', '(?:K|k)yiv', '', 'é|\u{1F600}', '\\d'];
const OPTIONS = ['', 'i', 'm', 's', 'im', 'is'];

/** Operators on a value: one of them mostly, a range, or two that have nothing to do with each other. */
function randomOperators(random: Random, depth: number): JsonObject {
  const value = (): JsonValue => (random.chance(70) ? randomScalar(random) : randomValue(random, 2));
  return random.weighted<JsonObject>([
    [3, () => ({ [random.pick(['$eq', '$ne'])]: value() })],
    [5, () => ({ [random.pick(['$gt', '$gte', '$lt', '$lte'])]: value() })],
    [4, () => randomRange(random)],
    [3, () => ({ [random.pick(['$in', '$nin'])]: random.list(value, 4, 0) })],
    [1, () => ({ [random.pick(['$in', '$nin'])]: random.list(() => randomScalar(random), 300, 100) })],
    [1, () => ({ $exists: random.chance(50) })],
    [
      1,
      () => ({ $type: random.chance(80) ? random.pick(TYPES) : random.list(() => random.pick(TYPES), 3, 1) }),
    ],
    [1, () => ({ $size: random.below(4) })],
    [1, () => ({ $all: random.list(value, 3, 0) })],
    [1, () => ({ $mod: [random.pick([2, 3, -2, 7, 1, 2.5]), random.pick([0, 1, -1, 2])] })],
    [1, () => ({ $regex: random.pick(PATTERNS) })],
    [1, () => ({ $regex: random.pick(PATTERNS), $options: random.pick(OPTIONS) })],
    [depth > 0 ? 1 : 0, () => ({ $not: randomOperators(random, depth - 1) })],
    [depth > 0 ? 1 : 0, () => ({ $elemMatch: randomOperators(random, depth - 1) })],
    [depth > 0 ? 1 : 0, () => ({ $elemMatch: randomElementQuery(random, depth - 1) })],
    [
      depth > 0 ? 1 : 0,
      () => ({ $all: random.list(() => ({ $elemMatch: randomOperators(random, 0) }), 2, 1) }),
    ],
    [depth > 0 ? 1 : 0, () => ({ ...randomOperators(random, 0), ...randomOperators(random, 0) })],
  ]);
}

function randomRange(random: Random): JsonObject {
  const low = random.chance(80) ? (random.below(400) - 100) / 10 : randomScalar(random);
  const high =
    typeof low === 'number' && random.chance(80)
      ? Math.round(low * 10 + random.below(100)) / 10
      : randomScalar(random);
  return { [random.pick(['$gt', '$gte'])]: low, [random.pick(['$lt', '$lte'])]: high };
}

function randomOperand(random: Random, depth: number): JsonValue {
  if (random.chance(65)) return randomOperators(random, depth);
  const literal = random.chance(70) ? randomScalar(random) : randomValue(random, 2);
  // An empty object of a field is the literal one, but not for every version of every library: it is asked with $eq.
  const isEmpty = typeof literal === 'object' && literal !== null && Object.keys(literal).length === 0;
  return isEmpty ? { $eq: literal } : literal;
}

/** What an element of an array inside a value must be. */
function randomElementQuery(random: Random, depth: number): JsonObject {
  const one = (): JsonObject => ({ [random.pick(ELEMENT_PATHS)]: randomOperand(random, depth) });
  if (random.chance(20)) return { [random.pick(['$and', '$or', '$nor'])]: random.list(one, 2, 1) };
  return random.chance(30) ? { ...one(), ...one() } : one();
}

/** What a metadata entry must be: of a known key mostly. */
function randomEntry(random: Random): JsonObject {
  const key = (): string => random.pick(KEYS);
  const onValue = (): JsonObject => ({ value: randomOperand(random, 2) });
  const inside = (): JsonObject => ({ [random.pick(ENTRY_PATHS)]: randomOperand(random, 2) });
  return random.weighted<JsonObject>([
    [12, () => ({ key: key(), ...onValue() })],
    [4, () => ({ key: key(), ...inside() })],
    [2, () => ({ key: key(), ...onValue(), ...inside() })],
    [2, () => ({ key: key() })],
    [1, () => ({ ...onValue(), key: key() })],
    [2, () => ({ key: { $in: random.list(key, 3, 0) }, ...onValue() })],
    [1, () => ({ key: key(), $or: random.list(onValue, 3, 1) })],
    [1, () => ({ $and: [{ key: key() }, onValue()] })],
    [1, () => ({ key: { $ne: key() }, ...onValue() })],
    [1, () => ({ key: { $regex: random.pick(['^[ct]', 'ы|к', '']) }, ...onValue() })],
    [1, onValue],
    [1, inside],
    [1, () => ({ key: key(), other: null })],
    [1, () => ({ $or: [{ key: key(), ...onValue() }, { key: key() }] })],
  ]);
}

function randomClause(random: Random): JsonObject {
  return random.weighted<JsonObject>([
    [16, () => ({ metadata: { $elemMatch: randomEntry(random) } })],
    [3, () => ({ metadata: { $not: { $elemMatch: randomEntry(random) } } })],
    [2, () => ({ application_version: random.pick(VERSIONS) })],
    [1, () => ({ application_version: { $in: random.list(() => random.pick(VERSIONS), 2, 1) } })],
    [1, () => ({ endpoint_id: random.pick(IDS) })],
    [1, () => ({ [random.pick(PLAIN_FIELDS)]: randomOperand(random, 1) })],
    [1, () => ({ [random.pick(['application_version', 'endpoint_id'])]: textOperators(random) })],
    [2, () => ({ [random.pick(DOCUMENT_PATHS)]: randomOperand(random, 1) })],
    [1, () => ({ [random.pick(['metadata.key', 'metadata.0.key'])]: random.pick(KEYS) })],
    [1, () => ({ metadata: { $size: random.below(6) } })],
    [1, () => ({ metadata: { $all: random.list(() => ({ $elemMatch: randomEntry(random) }), 2, 1) } })],
  ]);
}

function textOperators(random: Random): JsonObject {
  const text = random.pick([...VERSIONS, ...IDS]);
  return { [random.pick(['$ne', '$gt', '$gte', '$lt', '$lte', '$regex'])]: text };
}

function randomTree(random: Random, clause: () => JsonObject, depth: number): JsonObject {
  const inner = (): JsonObject =>
    depth > 1 && random.chance(35) ? randomTree(random, clause, depth - 1) : clause();
  return random.weighted<JsonObject>([
    [5, () => ({ $and: random.list(inner, 3, 1) })],
    [4, () => ({ $or: random.list(inner, 3, 1) })],
    [2, () => ({ $nor: random.list(inner, 2, 1) })],
    [1, () => ({ ...clause(), $or: random.list(inner, 2, 1) })],
    [1, () => ({ ...clause(), ...inner() })],
  ]);
}

/** An alert as people write them: conditions that must all hold, the first of which many filters share. */
function randomAlert(random: Random, popular: readonly JsonObject[]): JsonObject {
  const onKey = (): JsonObject => {
    const value = random.weighted<JsonValue>([
      [3, () => randomScalar(random)],
      [3, () => randomRange(random)],
      [2, () => ({ [random.pick(['$gt', '$lte'])]: (random.below(400) - 100) / 10 })],
      [1, () => ({ $in: random.list(() => randomScalar(random), 5, 1) })],
      [1, () => ({ $ne: randomScalar(random) })],
    ]);
    return { metadata: { $elemMatch: { key: random.pick(KEYS), value } } };
  };
  return { $and: [random.pick(popular), ...random.list(onKey, 2, 1)] };
}

/** Filters as one application may have them: alike in part, a few of them equal, the rest all over the language. */
export function randomFilters(random: Random, count: number): JsonObject[] {
  const popular = random.list(() => randomClause(random), 4);
  const clause = (): JsonObject => (random.chance(15) ? random.pick(popular) : randomClause(random));
  const filters: JsonObject[] = [];
  while (filters.length < count) {
    filters.push(
      random.weighted<JsonObject>([
        [5, clause],
        [4, () => randomTree(random, clause, 4)],
        [3, () => randomAlert(random, popular)],
        [filters.length > 0 ? 1 : 0, () => random.pick(filters)],
        [random.chance(5) ? 1 : 0, () => ({})],
      ]),
    );
  }
  return filters;
}

/** What most filters are: of few keys, with thresholds and values of their own, half of them behind one condition. */
export function randomSimpleFilters(random: Random, count: number): JsonObject[] {
  const keys = random.list(() => random.pick(KEYS), 3, 1);
  const popular: JsonObject = { application_version: random.pick(VERSIONS) };
  const on = (value: JsonValue): JsonObject => ({
    metadata: { $elemMatch: { key: random.pick(keys), value } },
  });
  const one = (): JsonObject =>
    random.weighted<JsonObject>([
      [4, () => on({ [random.pick(['$gt', '$gte', '$lt', '$lte'])]: (random.below(4000) - 1000) / 100 })],
      [3, () => on(randomRange(random))],
      [3, () => on(random.chance(50) ? random.below(20) : randomScalar(random))],
      [2, () => on({ $in: random.list(() => randomScalar(random), 30, 1) })],
      [1, () => on({ [random.pick(['$ne', '$eq'])]: randomScalar(random) })],
      [1, () => on({ $regex: random.pick(PATTERNS) })],
      [1, () => on({ $exists: true })],
    ]);
  return random.list(
    () =>
      random.chance(50) ? { $and: [popular, one()] } : random.chance(70) ? one() : { $or: [one(), one()] },
    count,
  );
}
