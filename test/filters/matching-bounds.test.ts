import t from 'tap';
import {
  addNumber,
  addText,
  BOUND_WORDS,
  eachNumberBetween,
  eachTextBetween,
  removeNumber,
  removeText,
} from '../../src/filters/matching/bounds.js';
import { Dictionary } from '../../src/filters/matching/dictionary.js';
import { NO_GUARD, NOT_THERE } from '../../src/filters/matching/guards.js';
import { Image } from '../../src/filters/matching/image.js';
import { PlaceId, Posting, TraitKind } from '../../src/filters/matching/layout.js';
import { nextNumber, nextText } from '../../src/filters/matching/successors.js';
import { compareStrings } from '../../src/filters/values.js';
import { randomOf, type Random } from './fuzz/random.js';

const NUMBERS = [
  -Number.MAX_VALUE,
  -1e300,
  -1,
  -Number.MIN_VALUE,
  -0,
  0,
  Number.MIN_VALUE,
  Number.EPSILON,
  1,
  nextNumber(1),
  2 ** 53,
  Number.MAX_VALUE,
  Infinity,
];
// surrogates come behind U+E000..U+FFFF in the order of UTF-8 bytes
const UNITS = [
  '',
  'a',
  'b',
  '\0',
  '\u007f',
  'é',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{1F600}',
  '\ud800',
];

function randomNumber(random: Random): number {
  if (random.chance(20)) return random.pick(NUMBERS);
  return random.chance(50) ? random.below(60) / 4 - 5 : random.below(2 ** 31) - 2 ** 30;
}

function randomText(random: Random): string {
  return random.list(() => random.pick(UNITS), 4, 0).join('');
}

/** Inserts and removes at random, and compares what lies between two values with what a plain list has. */
function tryBounds<V>(options: {
  seed: number;
  steps: number;
  grows: (step: number) => boolean;
  random: (random: Random) => V;
  compare: (a: V, b: V) => number;
  add: (bounds: number, bound: V, query: number) => number;
  remove: (bounds: number, bound: V, query: number) => number;
  between: (bounds: number, low: V | undefined, high: V | undefined) => number[];
}): { largest: number; left: number } {
  const { seed, steps, compare, add, remove, between } = options;
  const random = randomOf(seed);
  const model: { bound: V; query: number }[] = [];
  let bounds = 0;
  let largest = 0;
  const check = (low: V | undefined, high: V | undefined): void => {
    const found = between(bounds, low, high);
    const wanted = model.filter(
      ({ bound }) =>
        (low === undefined || compare(bound, low) > 0) && (high === undefined || compare(bound, high) <= 0),
    );
    const sorted = (queries: number[]): string => queries.sort((a, b) => a - b).join();
    const isSame = sorted(found) === sorted(wanted.map(({ query }) => query));
    if (!isSame) throw new Error(`seed ${seed}: not what is between ${String(low)} and ${String(high)}`);
  };
  for (let step = 0; step < steps; step++) {
    if (random.chance(options.grows(step) ? 80 : 15) || model.length === 0) {
      const bound = options.random(random);
      const query = step + 1;
      bounds = add(bounds, bound, query);
      model.push({ bound, query });
    } else {
      const [gone] = model.splice(random.below(model.length), 1);
      bounds = remove(bounds, gone!.bound, gone!.query);
    }
    largest = Math.max(largest, model.length);
    if (step % 25 === 0) check(options.random(random), options.random(random));
    if (step % 500 === 0) check(undefined, undefined);
  }
  for (const { bound, query } of model) bounds = remove(bounds, bound, query);
  return { largest, left: bounds };
}

function eachGuard(callback: (guard: number) => void): (first: number, end: number) => void {
  return (first, end) => {
    for (let guard = first; guard < end; guard += BOUND_WORDS) callback(guard);
  };
}

void t.test('numbers, as a sorted list has them', async (t) => {
  const image = new Image();
  let least = Infinity;
  for (let seed = 1; seed <= 10; seed++) {
    const { largest, left } = tryBounds<number>({
      seed,
      steps: 6000,
      grows: (step) => step % 3000 < 1800,
      random: randomNumber,
      compare: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
      add: (bounds, bound, query) => addNumber(image, bounds, bound, query, NO_GUARD),
      remove: (bounds, bound, query) => removeNumber(image, bounds, bound, query),
      between: (bounds, low, high) => {
        const found: number[] = [];
        let former = -Infinity;
        eachNumberBetween(
          image,
          bounds,
          low ?? -Infinity,
          high ?? Infinity,
          eachGuard((guard) => {
            const bound = image.f64[(guard - 2) >> 1]!;
            if (bound < former) throw new Error(`${bound} is behind ${former}`);
            former = bound;
            found.push(image.i32[guard + Posting.query]!);
          }),
        );
        return found;
      },
    });
    t.equal(left, 0, 'nothing is left');
    least = Math.min(least, largest);
  }
  t.ok(least > 700, 'several pages');
});

void t.test('texts, in the order of UTF-8 bytes', async (t) => {
  const image = new Image();
  const dictionary = new Dictionary(image);
  dictionary.begin();
  const traitOf = (value: string): number => dictionary.holdTrait(PlaceId.id, { kind: 'bound', value });
  for (let seed = 1; seed <= 6; seed++) {
    const { largest, left } = tryBounds<string>({
      seed,
      steps: 4000,
      grows: (step) => step % 2000 < 1200,
      random: randomText,
      compare: compareUtf8,
      add: (bounds, bound, query) => addText(image, bounds, traitOf(bound), query, NO_GUARD),
      remove: (bounds, bound, query) => {
        const trait = traitOf(bound);
        const changed = removeText(image, bounds, trait, query);
        dictionary.releaseTrait(trait);
        dictionary.releaseTrait(trait);
        return changed;
      },
      between: (bounds, low, high) => {
        const found: number[] = [];
        if (low !== undefined && high !== undefined && compareStrings(low, high) > 0) return [];
        eachTextBetween(
          image,
          bounds,
          low,
          high,
          eachGuard((guard) => found.push(image.i32[guard + Posting.query]!)),
        );
        return found;
      },
    });
    t.equal(left, 0, 'nothing is left');
    t.ok(largest > 500, 'several pages');
  }
  t.equal(dictionary.findText(PlaceId.id, TraitKind.bound, 'a'), 0, 'no text is kept');
});

/** Half of a surrogate pair has no UTF-8; it has a place in the order all the same. */
function compareUtf8(a: string, b: string): number {
  if (!a.isWellFormed() || !b.isWellFormed()) return compareStrings(a, b);
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

void t.test('one bound of more queries than a page has', async (t) => {
  const image = new Image();
  let bounds = 0;
  for (let query = 1; query <= 1000; query++) bounds = addNumber(image, bounds, query % 3, query, NO_GUARD);
  for (let query = 1; query <= 1000; query += 2) bounds = removeNumber(image, bounds, query % 3, query);
  const found: number[] = [];
  eachNumberBetween(
    image,
    bounds,
    0,
    1,
    eachGuard((guard) => found.push(image.i32[guard + Posting.query]!)),
  );
  const wanted = Array.from({ length: 500 }, (_, i) => (i + 1) * 2).filter((query) => query % 3 === 1);
  t.strictSame(
    found.sort((a, b) => a - b),
    wanted,
  );
  t.equal(removeNumber(image, bounds, 1, 3), NOT_THERE, 'a query without that bound');
  t.equal(removeNumber(image, bounds, 1.5, 4), NOT_THERE);
});

void t.test('the next number is the next double', async (t) => {
  const bits = new DataView(new ArrayBuffer(8));
  // doubles in the order of their values are ordered by this
  const rankOf = (value: number): bigint => {
    bits.setFloat64(0, value + 0);
    const rank = bits.getBigInt64(0);
    return rank < 0n ? -(rank + 2n ** 63n) : rank;
  };
  const random = randomOf(3);
  const finite = [
    ...NUMBERS,
    ...random.list(() => (random.below(2 ** 32) - 2 ** 31) * 2 ** (random.below(600) - 300), 2000),
  ];
  const wrong = finite.filter((x) => Number.isFinite(x) && rankOf(nextNumber(x)) - rankOf(x) !== 1n);
  t.strictSame(wrong, []);
  t.equal(nextNumber(Number.MAX_VALUE), Infinity);
  t.ok(nextNumber(-Number.MIN_VALUE) === 0);
  t.equal(nextNumber(-0), Number.MIN_VALUE);
});

void t.test('no text is between a text and the next one', async (t) => {
  const random = randomOf(5);
  const wrong = random
    .list(() => [randomText(random), randomText(random)], 5000)
    .filter(([x, y]) => {
      const next = nextText(x!);
      return compareStrings(next, x!) <= 0 || compareStrings(y!, x!) > 0 !== compareStrings(y!, next) >= 0;
    });
  t.strictSame(wrong, []);
});
