import t from 'tap';
import { createNameList } from '../../src/register/name-list.js';
import { createPendingNumbers } from '../../src/register/pending-numbers.js';

/** The same numbers at each run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

for (const seed of [1, 2, 3])
  void t.test(`names as they come and go, in order, seed ${seed}`, async (t) => {
    const random = createRandom(seed);
    const list = createNameList();
    const names = new Set<string>();
    // units beyond the surrogates, and pairs of them
    const nameOf = () => `${String.fromCodePoint([97, 0xe000, 0x1f600][random(3)]!)}${random(6000)}`;
    for (let i = 0; i < 12_000; i++) {
      const name = nameOf();
      const mayCome = i < 6000 || random(4) === 0;
      if (mayCome && !names.has(name)) {
        names.add(name);
        list.add(name);
      } else if (names.delete(name)) list.remove(name);
      if (i % 1500 !== 0) continue;
      const sorted = [...names].sort();
      t.same([...list], sorted);
      for (const offset of [0, 1, 511, 513, names.size - 1, names.size, names.size + 5])
        t.same(list.page(offset, 700), sorted.slice(offset, offset + 700));
    }
    for (const name of [...names]) list.remove(name);
    t.same([[...list], list.page(0, 10)], [[], []]);
    list.add('again');
    t.same(list.page(0, 10), ['again']);
  });

void t.test('names that ascend, and names that descend', async (t) => {
  const ascending = Array.from({ length: 3000 }, (_, i) => `name ${String(i).padStart(5, '0')}`);
  for (const names of [ascending, ascending.toReversed()]) {
    const list = createNameList();
    for (const name of names) list.add(name);
    t.same([...list], ascending);
    t.same(list.page(2990, 100), ascending.slice(2990));
  }
});

void t.test('numbers that wait, whatever the order they come in and go in', async (t) => {
  const random = createRandom(7);
  const waiting = new Set<number>();
  const numbers = createPendingNumbers((number) => waiting.has(number));
  t.equal(numbers.least(), undefined);
  const come = (number: number) => {
    waiting.add(number);
    numbers.add(number);
  };
  for (let number = 0; number < 5000; number++) come((number * 7919) % 5000);
  while (waiting.size > 0) {
    const sorted = [...waiting].sort((a, b) => a - b);
    t.equal(numbers.least(), sorted[0]);
    t.same(
      numbers.upTo(3000),
      sorted.filter((number) => number <= 3000),
    );
    t.same(numbers.upTo(Infinity), sorted);
    for (const number of sorted.slice(0, 700)) if (random(8) > 0) waiting.delete(number);
    if (sorted.length < 200) waiting.clear();
  }
  t.equal(numbers.least(), undefined);
  t.same(numbers.upTo(Infinity), []);
  for (const number of [9000, 8000, 9001]) come(number);
  t.equal(numbers.least(), 8000);
  waiting.delete(8000);
  t.same(numbers.upTo(9000), [9000]);
});
