import fc from '../fast-check.js';
import t from 'tap';
import { createFilterSet, parseQuery, type FilterDocument, type Query } from '../../src/filters/index.js';
import type { JsonObject } from '../../src/model/json.js';
import { document, wideDocument, wideQuery } from './random-queries.js';

function parsed(source: JsonObject): Query {
  const result = parseQuery(source);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.query;
}

function changedKeys(before: JsonObject, after: JsonObject): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter(
    (key) =>
      Object.hasOwn(before, key) !== Object.hasOwn(after, key) ||
      JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
}

const doc = (metadata: JsonObject, applicationVersion = 'v1'): FilterDocument => ({
  endpointId: 'e',
  applicationVersion,
  metadata,
});
const entry = (query: JsonObject): JsonObject => ({ metadata: { $elemMatch: query } });

/** Few filters are decided one by one; with these they are looked for. */
const OTHERS = Array.from({ length: 40 }, (_, i) =>
  parsed({ metadata: { $elemMatch: { key: 'other', value: i } } }),
);

void t.test(
  'flips are the difference of full evaluations, along random updates, as filters come and go',
  async (t) => {
    let flips = 0;
    const change = fc.record({
      next: fc.oneof(document, wideDocument),
      // Keeps most of the endpoint, as an update does.
      kept: fc.subarray(['city', 'temp', 'sky', 'constructor']),
      added: fc.option(wideQuery, { freq: 2 }),
      removed: fc.nat(12),
      bound: fc.nat(12),
    });
    const sequences = fc.property(
      fc.array(wideQuery, { minLength: 4, maxLength: 8 }),
      wideDocument,
      fc.array(change, { minLength: 1, maxLength: 8 }),
      (sources, first, changes) => {
        const set = createFilterSet();
        const queries = new Map<number, Query>();
        const add = (number: number, query: Query): void => {
          set.add(number, query);
          queries.set(number, query);
        };
        sources.forEach((source, i) => add(i, parsed(source)));
        OTHERS.forEach((query, i) => add(1000 + i, query));
        let before: FilterDocument = { ...first, endpointId: 'e' };
        let number = sources.length;
        for (const { next, kept, added, removed, bound } of changes) {
          if (added !== null) add(number++, parsed(added));
          set.remove(removed);
          queries.delete(removed);
          // A changed key keeps its place, a new one comes last: positions are part of what queries see.
          const metadata = { ...before.metadata };
          for (const key of ['city', 'temp', 'sky', 'constructor']) {
            if (kept.includes(key)) continue;
            if (Object.hasOwn(next.metadata, key)) metadata[key] = next.metadata[key]!;
            else delete metadata[key];
          }
          const after = { endpointId: 'e', applicationVersion: next.applicationVersion, metadata };
          const was = set.matchAll(before);
          const is = set.matchAll(after);
          const evaluated = [...queries].filter(([, query]) => query.matches(after)).map(([one]) => one);
          if (is.join() !== evaluated.sort((a, b) => a - b).join())
            throw new Error(`found ${is.join()}, not ${evaluated.join()}`);
          const expected = {
            matched: is.filter((one) => !was.includes(one)),
            unmatched: was.filter((one) => !is.includes(one)),
          };
          const keys = changedKeys(before.metadata, metadata);
          const found = set.findFlips(before, after, keys);
          flips += found.matched.length + found.unmatched.length;
          if (JSON.stringify(found) !== JSON.stringify(expected)) {
            throw new Error(`found ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
          }
          const bounded = set.findFlips(before, after, keys, bound);
          const upTo = (numbers: number[]): number[] => numbers.filter((one) => one <= bound);
          if (
            JSON.stringify(bounded) !==
            JSON.stringify({ matched: upTo(expected.matched), unmatched: upTo(expected.unmatched) })
          ) {
            throw new Error('upTo is not a bound');
          }
          if (
            JSON.stringify(set.matchAll(after, bound)) !== JSON.stringify(is.filter((one) => one > bound))
          ) {
            throw new Error('since is not a bound');
          }
          before = after;
        }
      },
    );
    fc.assert(sequences, { numRuns: 1500 });
    t.ok(flips > 1000, `${flips} flips`);
  },
);

void t.test('only queries of which a condition has flipped are decided, equal ones once', async (t) => {
  const set = createFilterSet();
  const decided = (ask: () => void): number => {
    const { decisions } = set.work;
    ask();
    return set.work.decisions - decisions;
  };
  set.add(1, parsed(entry({ key: 'temp', value: { $gt: 5 } })));
  set.add(2, parsed(entry({ key: 'temp', value: { $gt: 5 } })));
  set.add(3, parsed(entry({ key: 'city', value: 'Kyiv' })));
  set.add(4, parsed(entry({ value: 7 })));
  set.add(5, parsed({ application_version: 'v2' }));
  for (let i = 0; i < 1000; i++) {
    set.add(100 + i, parsed(entry({ key: 'temp', value: { $gt: 100 + i } })));
    set.add(
      2000 + i,
      parsed({ $and: [entry({ key: 'temp', value: { $lt: 6 } }), entry({ key: 'name', value: `n${i}` })] }),
    );
  }
  const one = decided(() => {
    const flips = set.findFlips(doc({ temp: 1, city: 'Kyiv' }), doc({ temp: 7, city: 'Kyiv' }), ['temp']);
    t.same(flips, { matched: [1, 2, 4], unmatched: [] });
  });
  t.equal(one, 2, 'the two equal ones once, and the one that may look at any key');
  t.equal(
    decided(() => t.same(set.findFlips(doc({}), doc({}, 'v2'), []), { matched: [5], unmatched: [] })),
    1,
  );
  t.equal(
    decided(() =>
      t.same(
        set.findFlips(doc({ temp: 1 }), doc({ temp: 7, name: 'n3' }), ['temp', 'name']).matched,
        [1, 2, 4],
      ),
    ),
    3,
    'one of the thousand that the temperature flips, by its name',
  );
  t.ok(
    decided(() => t.same(set.matchAll(doc({ name: 'n5', temp: 3 })), [2005])) <= 2,
    'a registration looks at what its values lead to',
  );
});

void t.test('add replaces, remove forgets', async (t) => {
  const set = createFilterSet();
  const temp = parsed(entry({ key: 'temp' }));
  set.add(7, temp);
  set.add(3, temp);
  set.add(5, parsed(entry({ key: 'city' })));
  t.equal(set.size, 3);
  t.same(set.matchAll(doc({ temp: 1, city: 1 })), [3, 5, 7]);
  t.same(set.matchAll(doc({ temp: 1, city: 1 }), 3), [5, 7]);
  set.add(5, temp);
  t.equal(set.size, 3);
  t.same(set.findFlips(doc({ temp: 1 }), doc({}), ['temp'], 5), { matched: [], unmatched: [3, 5] });
  set.remove(3);
  set.remove(3);
  set.remove(99);
  t.same(set.matchAll(doc({ temp: 1, city: 1 })), [5, 7]);
  set.remove(5);
  set.remove(7);
  t.equal(set.size, 0);
  t.same(set.findFlips(doc({ temp: 1 }), doc({}), ['temp']), { matched: [], unmatched: [] });
});

void t.test(
  'a query that is never true goes and takes none of those with it that have no gate',
  async (t) => {
    const set = createFilterSet();
    // more than are decided one by one
    for (let i = 0; i < 100; i++) set.add(i, parsed(entry({ key: 'temp', value: i })));
    set.add(100, parsed({ metadata: { $not: { $elemMatch: { key: 'temp' } } } }));
    set.add(101, parsed(entry({ key: 'temp', value: { $in: [] } })));
    t.same(set.matchAll(doc({})), [100]);
    set.remove(101);
    t.same(set.matchAll(doc({})), [100]);
    set.remove(100);
    t.same(set.matchAll(doc({})), []);
  },
);

void t.test('the order of names in a value tells queries apart', async (t) => {
  const set = createFilterSet();
  set.add(1, parsed(entry({ key: 'k', value: { a: 1, b: 2 } })));
  set.add(2, parsed(entry({ key: 'k', value: { b: 2, a: 1 } })));
  t.same(set.matchAll(doc({ k: { a: 1, b: 2 } })), [1]);
});
