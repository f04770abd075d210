import t, { type Test } from 'tap';
import type { JsonObject } from '../../src/filters/index.js';
import type { RecordQuery, Scope } from '../../src/storage/port.js';
import { idOf, idsOf, register, START_MS, written } from './contract/building.js';
import { ordered, queryOf, walk } from './contract/lists.js';
import { type Change, entry, openStore, parsed, untilIndexed } from './value-support.js';

t.setTimeout(120_000);

const FLEET = Array.from({ length: 6000 }, (_, i) => ({
  id: idOf(i),
  createdMs: START_MS + Math.floor(i / 3),
  version: i % 3 === 0 ? 'v1' : 'v2',
  metadata: {
    n: i,
    city: `city-${i % 100}`,
    tags: i % 200 === 0 ? ['red', 'blue', i] : [],
    note: i % 2 === 0 ? `${'x'.repeat(150)}${i % 500}` : null,
  },
}));

async function fleet(t: Test, change: Change = {}) {
  const opened = await openStore(t, change);
  for (let at = 0; at < FLEET.length; at += 500) {
    const part = FLEET.slice(at, at + 500);
    await written(
      t,
      opened.store,
      part.map((endpoint, i) => register(endpoint, { matched: (at + i) % 5 === 0 ? [3] : [] })),
    );
  }
  return opened;
}

const APP: Scope = { application: 'app' };

void t.test(
  'what queries touch: an index is made for what is queried, and then little is read',
  async (t) => {
    const { store } = await fleet(t);
    const find = (source: JsonObject, parts: Partial<RecordQuery> = {}) =>
      store.find(queryOf({ scope: APP, where: parsed(source), withTotal: true, limit: 10, ...parts }));
    const expect = (
      holds: (metadata: JsonObject, i: number) => boolean,
      sort = { by: 'createdDate', direction: 'desc' } as RecordQuery['sort'],
    ) =>
      ordered(
        FLEET.filter((endpoint, i) => holds(endpoint.metadata, i)),
        sort,
      ).map(({ id }) => id);

    const first = await find(entry('city', 'city-7'));
    t.same(first.read!.by, ['lists:application'], 'the first time, all are read');
    t.ok(first.read!.records >= 6000);
    for (const key of ['n', 'tags', 'note']) await find(entry(key, 'nothing'));
    for (const key of ['city', 'n', 'tags', 'note'])
      await untilIndexed(store, queryOf({ scope: APP, where: parsed(entry(key, 'nothing')) }), [
        `values:${key}`,
      ]);

    const equal = await find(entry('city', 'city-7'));
    t.same(idsOf(equal.records), expect((m) => m['city'] === 'city-7').slice(0, 10));
    t.same([equal.total, equal.read!.records], [60, 10], 'equality: the page alone is read');
    t.ok(equal.read!.entries <= 60 && equal.read!.counted <= 60);

    const some = await find(entry('city', { $in: ['city-1', 'city-2', 'none'] }));
    t.same([some.total, some.read!.records], [120, 10], '$in');
    const range = await find(entry('n', { $gte: 100, $lt: 150 }));
    t.same(
      idsOf(range.records),
      expect((m) => (m['n'] as number) >= 100 && (m['n'] as number) < 150).slice(0, 10),
    );
    t.same([range.total, range.read!.records], [50, 10], 'a range of two bounds');
    t.ok(range.read!.counted <= 60 && range.read!.entries <= 60);
    const none = await find(entry('n', { $gt: 10, $lt: 5 }));
    t.match(none, { total: 0, read: { records: 0, entries: 0 } });

    const both = await find({ $and: [entry('city', 'city-7'), entry('n', { $lt: 1000 })] });
    t.same(both.total, 10);
    t.ok(
      both.read!.records <= 70,
      'of two conditions, that with fewer endpoints is walked, and they are looked at',
    );
    const either = await find({ $or: [entry('city', 'city-7'), entry('n', { $in: [7, 8, 9] })] });
    t.same([either.total, either.read!.records], [62, 10], '$or: each endpoint once');
    const elements = await find(entry('tags', 'red'));
    t.same([elements.total, elements.read!.records], [30, 10], 'elements of arrays');
    const long = await find(entry('note', `${'x'.repeat(150)}42`));
    t.equal(long.total, 12);
    t.ok(long.read!.records >= 3000, 'long texts are looked at');
    const missing = await find(entry('note', null));
    t.equal(missing.total, 3000, 'null, of endpoints that have the key');
    t.ok(
      missing.read!.records <= 30 && missing.read!.entries <= 30,
      'many match: the page goes along the list',
    );

    const version = await find(entry('city', 'city-7'), { scope: { ...APP, version: 'v1' } });
    t.same([version.total, version.read!.records], [20, 10], 'with a version: no further record is read');
    const member = await find(entry('city', 'city-5'), { scope: { ...APP, filterNumber: 3 } });
    t.same([member.total, member.read!.records], [60, 10], 'with a filter');
    const named = await find({ application_version: 'v1', ...entry('city', 'city-7') });
    t.equal(named.total, 20);
    t.ok(named.read!.records <= 80);
    const tested = await find(entry('city', 'city-7'), { test: (record) => record.length > 0 });
    t.equal(tested.total, 60);
    t.ok(tested.read!.records <= 70, 'with a further test, candidates are read');
    const dense = await find(entry('n', { $gte: 0 }), { withTotal: true });
    t.same([dense.total, idsOf(dense.records)], [6000, expect(() => true).slice(0, 10)]);
    t.ok(
      dense.read!.records <= 11 && dense.read!.entries <= 20,
      'a condition that nearly all fulfil: along the list',
    );

    for (const sort of [
      { by: 'createdDate', direction: 'asc' },
      { by: 'endpointId', direction: 'asc' },
      { by: 'endpointId', direction: 'desc' },
    ] as const) {
      const query = queryOf({ scope: APP, where: parsed(entry('city', 'city-7')), sort, limit: 7 });
      t.same(
        await walk(t, store, query),
        expect((m) => m['city'] === 'city-7', sort),
      );
      const page = await store.find({ ...query, offset: 5, withTotal: true });
      t.same(idsOf(page.records), expect((m) => m['city'] === 'city-7', sort).slice(5, 12));
    }
  },
);

void t.test('what lists touch: pages cost the same at any depth, and totals read no record', async (t) => {
  const { store } = await fleet(t);
  const scopes: Scope[] = [
    {},
    { tenant: 'kaa' },
    APP,
    { ...APP, version: 'v2' },
    { ...APP, filterNumber: 3 },
  ];
  for (const scope of scopes)
    for (const by of ['createdDate', 'endpointId'] as const)
      for (const direction of ['asc', 'desc'] as const) {
        const title = `${JSON.stringify(scope)} ${by} ${direction}`;
        const query = queryOf({ scope, sort: { by, direction }, limit: 100, withTotal: true });
        let page = await store.find(query);
        const near = page.read!;
        const found = idsOf(page.records);
        while (page.next) {
          page = await store.find({ ...query, after: page.next });
          found.push(...idsOf(page.records));
          t.ok(page.read!.records <= near.records + 1, `${title}: records`);
          t.ok(
            page.read!.entries <= near.entries + 300,
            `${title}: entries, ${page.read!.entries} and ${near.entries}`,
          );
        }
        t.ok(near.records <= 101, title);
        const members = FLEET.filter(
          ({ version }, i) =>
            (scope.version ?? version) === version && (scope.filterNumber === undefined || i % 5 === 0),
        );
        t.equal(page.total, members.length);
        t.same(
          found,
          ordered(members, { by, direction }).map(({ id }) => id),
          title,
        );
      }
  const both = { ...APP, version: 'v1', filterNumber: 3 };
  t.equal(await store.count(both), 400);
  const page = await store.find(queryOf({ scope: both, limit: 10, withTotal: true }));
  t.same([page.total, page.read!.records], [400, 10], 'a filter and a version: the shorter list, no record');
  t.ok(page.read!.entries <= 2 * (1200 + 50));
});

void t.test('a key that is used no more gives way to the 65th', async (t) => {
  const { store, reopen } = await openStore(t, { mostScanned: 2 });
  const keys = Array.from({ length: 66 }, (_, i) => `key${i}`);
  const metadata = Object.fromEntries(keys.map((key, i) => [key, i]));
  await written(
    t,
    store,
    [1, 2, 3, 4].map((i) => register({ id: idOf(i), metadata })),
  );
  const query = (key: string) => queryOf({ scope: APP, where: parsed(entry(key, -1)) });
  for (const key of keys.slice(0, 64)) await untilIndexed(store, query(key), [`values:${key}`]);
  await store.find(query('key0'));
  await untilIndexed(store, query('key64'), ['values:key64']);
  t.same((await store.find(query('key0'))).read!.by, ['values:key0'], 'used lately');
  const again = await reopen();
  const indexed: string[] = [];
  for (const name of keys.slice(0, 65)) {
    const page = await again.find({ ...query(name), test: () => false });
    if (page.read!.by[0] === `values:${name}`) indexed.push(name);
    else t.equal(name, 'key1', 'the one that was used longest ago');
  }
  t.equal(indexed.length, 64);
});

void t.test('a query that names no application is of the only one there is', async (t) => {
  const { store } = await fleet(t);
  const city = parsed(entry('city', 'city-7'));
  const find = (scope: Scope) => store.find(queryOf({ scope, where: city, withTotal: true, limit: 10 }));
  await find(APP);
  await untilIndexed(store, queryOf({ scope: APP, where: city }), ['values:city']);
  for (const scope of [{}, { tenant: 'kaa' }]) {
    const page = await find(scope);
    t.same([page.total, page.read!.by], [60, ['values:city']]);
  }
  t.same((await find({ tenant: 'other' })).total, 0);
  const other = { id: 'other-1', application: 'other', metadata: { city: 'city-7' } };
  await written(t, store, [register(other)]);
  t.equal((await find({})).total, 61, 'all applications, where there are two');
});
