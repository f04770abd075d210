import type { FilterDocument } from '../../../src/filters/index.js';
import type { JsonObject, JsonValue } from '../../../src/model/json.js';
import type { Random } from './random.js';

/** Few, so that filters often speak of what documents have; with names that plain objects inherit, and positions. */
export const KEYS = ['temp', 'city', 'sky', 'hum', 'constructor', '0', 'a.b', 'value', 'ключ\u{1F600}'];
export const NAMES = ['a', 'b', '0', '1', 'constructor'];
export const VERSIONS = ['v1', 'v2', 'v3'];
export const IDS = ['e1', 'e2', 'e3'];

const NUMBERS = [
  0,
  -0,
  1,
  2,
  -1,
  2.5,
  -2.5,
  7,
  0.1,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 40,
  2 ** 53,
  2 ** 53 + 2,
  -(2 ** 63),
  1e300,
  -1e300,
  5e-324,
];

/** Beyond the BMP and around it, for the order of UTF-16 units is not that of code points. */
const STRINGS = [
  '',
  'a',
  'b',
  'ab',
  'A',
  'Kyiv',
  'kyiv',
  '1',
  'null',
  'a\nKyiv',
  'é',
  '\u{1F600}',
  '\u{1F601}a',
  '\uFFFD',
  '\uE000',
  '\uD7FF',
  'constructor',
  '__proto__',
  '$gt',
  'a.b',
];

export function randomScalar(random: Random): JsonValue {
  return random.weighted<JsonValue>([
    [1, () => null],
    [1, () => random.chance(50)],
    [3, () => random.below(20)],
    [2, () => (random.below(400) - 100) / 10],
    [2, () => random.pick(NUMBERS)],
    [3, () => random.pick(STRINGS)],
    [1, () => `s${random.below(20)}`],
  ]);
}

function flatObject(random: Random, inner: () => JsonValue): JsonObject {
  const made: JsonObject = {};
  for (let i = random.below(3); i >= 0; i--) made[random.pick(NAMES)] = inner();
  if (random.chance(4)) Object.defineProperty(made, '__proto__', { ...OWN, value: inner() });
  return random.chance(8) ? {} : made;
}

const OWN = { enumerable: true, configurable: true, writable: true };

/** Scalars, arrays and documents; `wide` ones have arrays in arrays at any depth. */
export function randomValue(random: Random, depth = 3): JsonValue {
  const scalar = (): JsonValue => randomScalar(random);
  const inner = (): JsonValue => (depth > 0 ? randomValue(random, depth - 1) : scalar());
  return random.weighted<JsonValue>([
    [12, scalar],
    [2, () => random.list(scalar, 4, 0)],
    [2, () => flatObject(random, scalar)],
    [2, () => random.list(() => (random.chance(30) ? scalar() : flatObject(random, scalar)), 3, 0)],
    [1, () => flatObject(random, inner)],
    [1, () => random.list(inner, 3, 0)],
  ]);
}

export function randomMetadata(random: Random): JsonObject {
  const metadata: JsonObject = {};
  const share = random.pick([20, 50, 80]);
  for (const key of KEYS) if (random.chance(share)) metadata[key] = randomValue(random);
  return random.chance(30) ? reordered(random, metadata) : metadata;
}

/** The order of the entries is part of what filters see. */
export function reordered(random: Random, metadata: JsonObject): JsonObject {
  const entries = Object.entries(metadata);
  for (let i = entries.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [entries[i], entries[j]] = [entries[j]!, entries[i]!];
  }
  return Object.fromEntries(entries);
}

export function randomDocument(random: Random): FilterDocument {
  return {
    endpointId: random.pick(IDS),
    applicationVersion: random.pick(VERSIONS),
    metadata: randomMetadata(random),
  };
}
