import type { Test } from 'tap';
import { parseQuery, type JsonObject, type Query } from '../../../src/filters/index.js';
import type { PagePlace, RecordQuery, Scope, Store } from '../../../src/storage/port.js';
import { createdOf, headOf } from '../../../src/model/record.js';
import {
  idOf,
  idsOf,
  move,
  register,
  START_MS,
  unregister,
  update,
  written,
  type OpenStore,
} from './building.js';

const NEWEST = { by: 'createdDate', direction: 'desc' } as const;
const OLDEST = { by: 'createdDate', direction: 'asc' } as const;
const SORTS: RecordQuery['sort'][] = [
  NEWEST,
  OLDEST,
  { by: 'endpointId', direction: 'asc' },
  { by: 'endpointId', direction: 'desc' },
];

export function queryOf(parts: Partial<RecordQuery> = {}): RecordQuery {
  return { scope: {}, sort: NEWEST, offset: 0, limit: 1000, withTotal: false, ...parts };
}

/** The order that the port promises: ties of the date by id, ascending, in both directions. */
export function ordered<T extends { id: string; createdMs: number }>(
  endpoints: readonly T[],
  sort: RecordQuery['sort'],
): T[] {
  const byId = (a: T, b: T) => (a.id < b.id ? -1 : 1);
  const sign = sort.direction === 'asc' ? 1 : -1;
  return [...endpoints].sort((a, b) =>
    sort.by === 'endpointId' ? sign * byId(a, b) : sign * (a.createdMs - b.createdMs) || byId(a, b),
  );
}

/** All pages of a query, by its cursor. Asserts that pages are full until the last, and that only the last has no `next`. */
export async function walk(t: Test, store: Store, query: RecordQuery): Promise<string[]> {
  const found: string[] = [];
  let after: PagePlace | undefined;
  do {
    const page = await store.find(after ? { ...query, after } : query);
    found.push(...idsOf(page.records));
    if (page.next) {
      const last = page.records.at(-1)!;
      t.equal(page.records.length, query.limit, 'a page that is not the last is full');
      t.same(
        page.next,
        { createdMs: createdOf(last), endpointId: headOf(last).endpointId },
        'the next page starts after its last record',
      );
      if (found.length > 100_000) throw new Error('The walk does not end.');
    }
    after = page.next;
  } while (after);
  return found;
}

/** 60 endpoints; dates in groups of seven, so that many are equal. */
const FLEET = Array.from({ length: 60 }, (_, i) => ({
  id: idOf(i),
  createdMs: START_MS + Math.floor(i / 7) * 1000,
  tenant: i % 5 === 0 ? 'acme' : 'kaa',
  application: i % 5 === 0 ? 'acme-app' : i % 2 === 0 ? 'app' : 'plant',
  version: `v${i % 3}`,
  metadata: { n: i, even: i % 2 === 0 },
}));

async function fleet(t: Test, store: Store): Promise<void> {
  await written(
    t,
    store,
    FLEET.map((endpoint, i) => register(endpoint, { matched: i % 4 === 0 ? [2] : [] })),
  );
}

function parsed(source: JsonObject): Query {
  const result = parseQuery(source);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.query;
}

/** Finding, ordering, paging and counting. */
export function listContract(t: Test, open: OpenStore): void {
  void t.test('every scope is found in every order, whole and by pages, and counted', async (t) => {
    const { store, reopen } = await open(t);
    await fleet(t, store);
    const scopes: [Scope, (i: number) => boolean][] = [
      [{}, () => true],
      [{ tenant: 'kaa' }, (i) => FLEET[i]!.tenant === 'kaa'],
      [{ application: 'app' }, (i) => FLEET[i]!.application === 'app'],
      [{ tenant: 'kaa', application: 'plant' }, (i) => FLEET[i]!.application === 'plant'],
      [{ tenant: 'acme', application: 'plant' }, () => false],
      [
        { application: 'plant', version: 'v1' },
        (i) => FLEET[i]!.application === 'plant' && FLEET[i]!.version === 'v1',
      ],
      [{ tenant: 'kaa', version: 'v2' }, (i) => FLEET[i]!.tenant === 'kaa' && FLEET[i]!.version === 'v2'],
      [{ application: 'app', filterNumber: 2 }, (i) => FLEET[i]!.application === 'app' && i % 4 === 0],
      [
        { application: 'app', filterNumber: 2, version: 'v0' },
        (i) => FLEET[i]!.application === 'app' && i % 4 === 0 && i % 3 === 0,
      ],
      [{ tenant: 'acme', application: 'app', filterNumber: 2 }, () => false],
      [{ application: 'nobody' }, () => false],
      [{ application: 'app', filterNumber: 3 }, () => false],
    ];
    const again = await reopen();
    for (const [scope, holds] of scopes) {
      const members = FLEET.filter((_, i) => holds(i));
      t.equal(await again.count(scope), members.length, JSON.stringify(scope));
      for (const sort of SORTS) {
        const expected = ordered(members, sort).map((endpoint) => endpoint.id);
        const whole = await again.find(queryOf({ scope, sort, withTotal: true }));
        t.same(idsOf(whole.records), expected, `${JSON.stringify(scope)} ${sort.by} ${sort.direction}`);
        t.equal(whole.total, members.length);
        t.notOk(whole.next);
        for (const limit of [1, 7, members.length || 1])
          t.same(await walk(t, again, queryOf({ scope, sort, limit })), expected);
      }
    }
  });

  void t.test(
    'an offset passes over records; past the end there is nothing, and the total stays',
    async (t) => {
      const { store } = await open(t);
      await fleet(t, store);
      for (const sort of SORTS) {
        const expected = ordered(FLEET, sort).map((endpoint) => endpoint.id);
        for (const offset of [0, 1, 6, 7, 30, 59, 60, 1000]) {
          const page = await store.find(queryOf({ sort, offset, limit: 9, withTotal: true }));
          t.same(
            idsOf(page.records),
            expected.slice(offset, offset + 9),
            `${sort.by} ${sort.direction} offset ${offset}`,
          );
          t.equal(page.total, 60);
          t.equal(page.next === undefined, offset + 9 >= 60);
        }
      }
    },
  );

  void t.test('a cursor goes on after its place though records come and go meanwhile', async (t) => {
    const { store } = await open(t);
    await fleet(t, store);
    for (const sort of SORTS) {
      const expected = ordered(FLEET, sort).map((endpoint) => endpoint.id);
      const first = await store.find(queryOf({ sort, limit: 10 }));
      const gone = FLEET.find((endpoint) => endpoint.id === expected[9])!;
      await written(t, store, [unregister({ ...gone, revision: 2 })]);
      const second = await store.find(queryOf({ sort, limit: 10, after: first.next! }));
      t.same(idsOf(second.records), expected.slice(10, 20), 'the record at the place may be gone');
      await written(t, store, [
        register({ ...gone, revision: 3 }, { expected: { revision: 2, filterSet: 0 } }),
      ]);
      const total = await store.find(queryOf({ sort, limit: 10, after: first.next!, withTotal: true }));
      t.equal(total.total, 60, 'a total counts what lies before the place, too');
      await written(t, store, [unregister({ ...gone, revision: 4 })]);
      await written(t, store, [
        register({ ...gone, revision: 1 }, { expected: { revision: 4, filterSet: 0 } }),
      ]);
    }
  });

  void t.test('deep pages: 1500 records of one date, and 1500 of different ones', async (t) => {
    const { store } = await open(t);
    const many = Array.from({ length: 3000 }, (_, i) => ({
      id: idOf(i),
      createdMs: START_MS + Math.max(0, i - 1500),
    }));
    for (let i = 0; i < many.length; i += 500)
      await written(
        t,
        store,
        many.slice(i, i + 500).map((endpoint) => register(endpoint)),
      );
    for (const sort of SORTS) {
      const expected = ordered(many, sort).map((endpoint) => endpoint.id);
      t.same(
        await walk(t, store, queryOf({ scope: { application: 'app' }, sort, limit: 400 })),
        expected,
        `${sort.by} ${sort.direction}`,
      );
    }
  });

  void t.test('only the named endpoints, each once, in order, as far as they fit the scope', async (t) => {
    const { store } = await open(t);
    await fleet(t, store);
    const endpointIds = [7, 0, 3, 3, 58, 12, 999, 11, 14].map(idOf);
    for (const sort of SORTS) {
      const named = ordered(
        FLEET.filter((endpoint) => endpointIds.includes(endpoint.id) && endpoint.tenant === 'kaa'),
        sort,
      ).map((endpoint) => endpoint.id);
      const query = queryOf({ scope: { tenant: 'kaa' }, endpointIds, sort });
      const page = await store.find({ ...query, withTotal: true });
      t.same(idsOf(page.records), named);
      t.equal(page.total, named.length);
      t.same(await walk(t, store, { ...query, limit: 2 }), named);
      t.same(idsOf((await store.find({ ...query, offset: 3, limit: 2 })).records), named.slice(3, 5));
    }
    const member = await store.find(
      queryOf({ scope: { application: 'app', filterNumber: 2 }, endpointIds, withTotal: true }),
    );
    t.same(idsOf(member.records), [idOf(12)], 'a filter is checked on them, too');
    t.equal(member.total, 1);
    const none = await store.find(queryOf({ endpointIds: [], withTotal: true }));
    t.same([none.records, none.total, none.next], [[], 0, undefined]);
  });

  void t.test('a query and a test choose records; totals count what they choose', async (t) => {
    const { store } = await open(t);
    await fleet(t, store);
    const chosen = FLEET.filter(
      (endpoint) => endpoint.application === 'plant' && endpoint.metadata.n > 20 && endpoint.version !== 'v2',
    );
    const where = parsed({ metadata: { $elemMatch: { key: 'n', value: { $gt: 20 } } } });
    const test = (record: Uint8Array) => headOf(record).version !== 'v2';
    for (const sort of SORTS) {
      const expected = ordered(chosen, sort).map((endpoint) => endpoint.id);
      const query = queryOf({ scope: { application: 'plant' }, where, test, sort });
      const page = await store.find({ ...query, limit: 3, withTotal: true });
      t.same(idsOf(page.records), expected.slice(0, 3));
      t.equal(page.total, expected.length);
      t.same(await walk(t, store, { ...query, limit: 3 }), expected);
      t.same(idsOf((await store.find({ ...query, offset: 2, limit: 4 })).records), expected.slice(2, 6));
      const past = await store.find({ ...query, offset: 100, limit: 4, withTotal: true });
      t.same([past.records, past.total, past.next], [[], expected.length, undefined]);
      const named = await store.find({
        ...query,
        endpointIds: [...expected.slice(0, 2), idOf(0)],
        withTotal: true,
      });
      t.same(idsOf(named.records), expected.slice(0, 2));
      t.equal(named.total, 2);
    }
  });

  void t.test('a query sees the endpoint id, the version and the metadata', async (t) => {
    const { store } = await open(t);
    await written(t, store, [
      register({ id: idOf(1), version: 'v7', metadata: { city: 'Київ', n: [1, { a: null }] } }),
    ]);
    const finds = async (query: JsonObject) =>
      (await store.find(queryOf({ where: parsed(query), withTotal: true }))).total;
    for (const query of [
      { endpoint_id: idOf(1) },
      { application_version: 'v7' },
      { metadata: { $elemMatch: { key: 'city', value: 'Київ' } } },
      { metadata: { key: 'n', value: [1, { a: null }] } },
      { 'metadata.1.value.1.a': { $type: 'null' } },
      { $nor: [{ endpoint_id: { $in: [idOf(2)] } }, { application_version: { $not: { $regex: '^v' } } }] },
      { tenant: null, 'record.x': { $exists: false } },
    ])
      t.equal(await finds(query), 1, JSON.stringify(query));
    for (const query of [
      { endpoint_id: idOf(2) },
      { application_version: { $ne: 'v7' } },
      { metadata: { $elemMatch: { key: 'city', value: 'n' } } },
      { tenant: 'kaa' },
      { record: { $exists: true } },
    ])
      t.equal(await finds(query), 0, JSON.stringify(query));
  });

  void t.test('a change of version moves a record between lists, in its place', async (t) => {
    const { store } = await open(t);
    const three = [1, 2, 3].map((i) => ({ id: idOf(i), createdMs: 1000 * i, version: 'v1' }));
    await written(
      t,
      store,
      three.map((endpoint) => register(endpoint, { matched: [1] })),
    );
    await written(t, store, [
      move({ ...three[1]!, version: 'v2', revision: 2 }, { matched: [2], unmatched: [1] }),
    ]);
    await written(t, store, [move({ ...three[0]!, version: 'v2', revision: 2 })]);
    await written(t, store, [update({ ...three[0]!, version: 'v2', revision: 3, metadata: { a: 1 } })]);
    const ids = async (scope: Scope) =>
      idsOf((await store.find(queryOf({ scope: { application: 'app', ...scope }, sort: OLDEST }))).records);
    t.same(await ids({ version: 'v1' }), [idOf(3)]);
    t.same(await ids({ version: 'v2' }), [idOf(1), idOf(2)]);
    t.same(await ids({}), [idOf(1), idOf(2), idOf(3)]);
    t.same(await ids({ filterNumber: 1 }), [idOf(1), idOf(3)]);
    t.same(await ids({ filterNumber: 1, version: 'v2' }), [idOf(1)]);
    t.same(await ids({ filterNumber: 2 }), [idOf(2)]);
    t.same(
      [
        await store.count({ application: 'app', version: 'v1' }),
        await store.count({ application: 'app', version: 'v2' }),
      ],
      [1, 2],
    );
  });
}
