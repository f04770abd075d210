import type { FilterDocument } from '../../src/filters/index.js';
import type { JsonObject } from '../../src/model/json.js';
import type { Bounds, Clause, Filter } from './clauses.js';
import { createRandom, type Random } from './random.js';
import type { Update, UpdateKind, UpdateStream, Workload } from './workload.js';

/**
 * Filters and documents over 50 keys, half of them of text and half of numbers, with as many values each as the workload
 * says. docs/benchmarks.md tells how they are made.
 */

const KEYS = 50;
const FEWEST_KEYS = 30;
const DOCUMENTS = 1000;
const POPULAR_KEY = 'status';
// prettier-ignore
const WORDS = ['amber', 'basil', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heron', 'indigo', 'jasper',
  'kelp', 'lotus', 'maple', 'north', 'ochre', 'pearl', 'quartz', 'river', 'slate', 'thorn'];

interface Shape {
  id: string;
  title: string;
  /** distinct values of a key */
  values: number;
  kinds: readonly (readonly [weight: number, kind: 'equals' | 'in' | 'range'])[];
  /** one filter of so many has a regular expression; 0: none */
  patternOneIn: number;
  /** one filter of so many has the popular condition, too; 0: none */
  popularOneIn: number;
}

const MIX = [
  [0.5, 'equals'],
  [0.2, 'in'],
  [0.3, 'range'],
] as const;

const SHAPES: Shape[] = [
  {
    id: 'equality',
    title: 'equality only, 20 values a key',
    values: 20,
    kinds: [[1, 'equals']],
    patternOneIn: 0,
    popularOneIn: 0,
  },
  {
    id: 'mixed-20',
    title: 'mixed: equality, $in, range; 20 values a key',
    values: 20,
    kinds: MIX,
    patternOneIn: 0,
    popularOneIn: 0,
  },
  {
    id: 'mixed-1000',
    title: 'mixed: equality, $in, range; 1,000 values a key',
    values: 1000,
    kinds: MIX,
    patternOneIn: 0,
    popularOneIn: 0,
  },
  {
    id: 'popular',
    title: 'mixed, and half of the filters have one condition in common',
    values: 20,
    kinds: MIX,
    patternOneIn: 0,
    popularOneIn: 2,
  },
  {
    id: 'patterns',
    title: 'mixed, and 5% of the filters have a regular expression',
    values: 20,
    kinds: MIX,
    patternOneIn: 20,
    popularOneIn: 0,
  },
];

export const syntheticWorkloads: Workload[] = SHAPES.map((shape) => ({
  id: shape.id,
  title: shape.title,
  filters: () => generateFilters(shape),
  openStream: (seed) => openStream(shape, seed),
}));

/** A key that the filter does not name yet. */
type NextKey = (isWanted?: (key: number) => boolean) => number;

const isText = (key: number): boolean => key % 2 === 0;
const isNumber = (key: number): boolean => !isText(key);
const nameOf = (key: number): string => `${isText(key) ? 'text' : 'number'}_${String(key).padStart(2, '0')}`;
const textOf = (value: number): string => `${WORDS[value % WORDS.length]!}-${value}`;

/** The key's value of this number, as it stands in documents. */
const valueOf = (key: number, value: number): string | number => (isText(key) ? textOf(value) : value);

function* generateFilters(shape: Shape): Generator<Filter, never> {
  const random = createRandom(1);
  for (;;) yield generateFilter(shape, random);
}

/** Two to four clauses, each of another key; in one filter of ten, one of them is an `$or` of two. */
function generateFilter(shape: Shape, random: Random): Filter {
  const keys = new Set<number>();
  const nextKey: NextKey = (isWanted) => {
    for (;;) {
      const key = random.below(KEYS);
      if (keys.has(key) || isWanted?.(key) === false) continue;
      keys.add(key);
      return key;
    }
  };
  const clauses: Clause[] = Array.from({ length: 2 + random.below(3) }, () =>
    generateClause(shape, random, nextKey),
  );
  if (random.isOneIn(10)) {
    const or = [generateClause(shape, random, nextKey), generateClause(shape, random, nextKey)];
    clauses[0] = { kind: 'or', clauses: or };
  }
  if (shape.patternOneIn > 0 && random.isOneIn(shape.patternOneIn))
    clauses[clauses.length - 1] = generatePattern(random, nextKey(isText));
  if (shape.popularOneIn > 0 && random.isOneIn(shape.popularOneIn))
    clauses.push({ kind: 'equals', key: POPULAR_KEY, value: 'on' });
  return clauses;
}

function generateClause({ kinds, values }: Shape, random: Random, nextKey: NextKey): Clause {
  const kind = random.pickWeighted(kinds);
  switch (kind) {
    case 'equals': {
      const key = nextKey();
      return { kind, key: nameOf(key), value: valueOf(key, random.below(values)) };
    }
    case 'in': {
      const key = nextKey();
      const some = new Set(Array.from({ length: 2 + random.below(4) }, () => random.below(values)));
      return { kind, key: nameOf(key), values: [...some].map((value) => valueOf(key, value)) };
    }
    case 'range':
      return { kind, key: nameOf(nextKey(isNumber)), bounds: generateBounds(values, random) };
  }
}

/** From a value on, below one, or from one to a greater one: a third each. */
function generateBounds(values: number, random: Random): Bounds {
  const from = random.below(values - 1);
  switch (random.below(3)) {
    case 0:
      return { gte: from + 1 };
    case 1:
      return { lt: from + 1 };
    default:
      return { gte: from, lte: from + 1 + random.below(values - 1 - from) };
  }
}

function generatePattern(random: Random, key: number): Clause {
  const word = random.pick(WORDS);
  const pattern = random.pick([`^${word}-`, `${word.slice(1, 3)}.*-1`, `-\\d*${random.below(10)}$`, word]);
  const ignoresCase = random.isOneIn(4);
  return {
    kind: 'pattern',
    key: nameOf(key),
    pattern: ignoresCase && pattern === word ? word.toUpperCase() : pattern,
    ignoresCase,
  };
}

/** 1,000 documents with 30 to 50 of the keys; each update is of the next of them. */
function openStream(shape: Shape, seed: number): UpdateStream {
  const random = createRandom(seed * 7919);
  const documents = Array.from({ length: DOCUMENTS }, (_, i) => generateDocument(shape, random, i));
  let at = 0;
  return {
    document: () => documents[at++ % DOCUMENTS]!,
    next(kind: UpdateKind): Update {
      const endpoint = at++ % DOCUMENTS;
      const before = documents[endpoint]!;
      const changedKeys = pickKeys(random, Object.keys(before.metadata), kind === 'one' ? 1 : 10);
      const changes = changedKeys.map((key) => [key, nextValue(shape, random, key, before.metadata[key])]);
      const after = {
        ...before,
        metadata: { ...before.metadata, ...(Object.fromEntries(changes) as JsonObject) },
      };
      documents[endpoint] = after;
      return { endpoint, before, after, changedKeys };
    },
  };
}

function generateDocument(shape: Shape, random: Random, number: number): FilterDocument {
  const keys = pickKeys(
    random,
    Array.from({ length: KEYS }, (_, key) => key),
    FEWEST_KEYS + random.below(KEYS - FEWEST_KEYS + 1),
  );
  const entries = keys.map((key) => [nameOf(key), valueOf(key, random.below(shape.values))]);
  if (shape.popularOneIn > 0) entries.push([POPULAR_KEY, random.isOneIn(10) ? 'off' : 'on']);
  return {
    endpointId: `endpoint-${number}`,
    applicationVersion: 'v1',
    metadata: Object.fromEntries(entries) as JsonObject,
  };
}

/** Another value: of text any; a number moves by a tenth of the range at most, and one time of ten anywhere. */
function nextValue(shape: Shape, random: Random, key: string, former: unknown): string | number {
  if (key === POPULAR_KEY) return former === 'on' ? 'off' : 'on';
  const wasNumber = typeof former === 'number';
  const step = wasNumber && !random.isOneIn(10) ? Math.max(1, Math.round(shape.values / 10)) : shape.values;
  for (;;) {
    const value = wasNumber ? former + random.below(2 * step + 1) - step : textOf(random.below(shape.values));
    if (value === former || (wasNumber && ((value as number) < 0 || (value as number) >= shape.values)))
      continue;
    return value;
  }
}

/** `count` of them, in the order in which they were drawn. */
function pickKeys<T>(random: Random, from: T[], count: number): T[] {
  const left = [...from];
  for (let i = 0; i < count; i++) {
    const j = i + random.below(left.length - i);
    [left[i], left[j]] = [left[j]!, left[i]!];
  }
  return left.slice(0, count);
}
