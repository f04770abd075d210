import { randomUUID } from 'node:crypto';
import type { Test } from 'tap';
import { ABSENT, decodeRecord, guardOf, isTombstone } from '../../../src/model/record.js';
import {
  guard,
  idOf,
  idsOf,
  kindsOf,
  move,
  recordOf,
  register,
  unregister,
  update,
  written,
  type OpenStore,
} from './building.js';

const CREATED = { by: 'createdDate', direction: 'asc' } as const;

/** Loading and guarded writing of records, their tokens and tombstones. */
export function recordContract(t: Test, open: OpenStore): void {
  void t.test('load answers in the order of the ids, and what is missing as undefined', async (t) => {
    const { store } = await open(t);
    const [a, b] = [
      recordOf({ id: idOf(1) }),
      recordOf({ id: idOf(2), metadata: { city: 'Київ', deep: { list: [1, null, 'x'] } } }),
    ];
    await written(t, store, [register({ id: idOf(1) }), { ...register({ id: idOf(2) }), record: b }]);
    const loaded = await store.load([idOf(2), randomUUID(), idOf(1), idOf(2)]);
    t.same(
      loaded.map((bytes) => bytes && Buffer.from(bytes).toString('hex')),
      [
        Buffer.from(b).toString('hex'),
        undefined,
        Buffer.from(a).toString('hex'),
        Buffer.from(b).toString('hex'),
      ],
    );
    t.same(await store.load([]), []);
    for (const id of [idOf(1), idOf(2), randomUUID(), '', 'x'.repeat(1000)]) {
      const [record] = await store.load([id]);
      if (store.loadNow !== undefined) t.same(store.loadNow(id), record, 'at once, too');
      if (store.peek === undefined) continue;
      const peeked = store.peek(id, true);
      // its buffer may be longer
      t.same(peeked && Buffer.from(peeked.subarray(0, peeked.length)), record, 'and without a copy');
    }
    t.same(await store.commit([]), []);
  });

  void t.test('loaded bytes are the caller’s to keep', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1), metadata: { n: 1 } })]);
    const [kept] = await store.load([idOf(1)]);
    const before = Buffer.from(kept!).toString('hex');
    for (let revision = 2; revision < 20; revision++) {
      await written(t, store, [update({ id: idOf(1), revision, metadata: { n: revision } })]);
      await store.load([idOf(1)]);
    }
    t.equal(Buffer.from(kept!).toString('hex'), before);
  });

  void t.test(
    'guards are compared one by one: a conflict in the middle of a batch stops only its own write',
    async (t) => {
      const { store } = await open(t);
      const ids = [0, 1, 2, 3, 4].map(idOf);
      await written(
        t,
        store,
        ids.map((id, i) => register({ id, revision: 1 + i })),
      );
      const results = await store.commit([
        update({ id: ids[0]!, revision: 2, metadata: { now: 1 } }),
        update({ id: ids[1]!, revision: 3, metadata: { now: 1 } }),
        update({ id: ids[2]!, revision: 3, metadata: { now: 1 } }, { matched: [7] }), // is at 3: expects 2
        update({ id: ids[3]!, revision: 5, metadata: { now: 1 } }),
        update({ id: idOf(99), revision: 2, metadata: { now: 1 } }), // was never registered
        update({ id: ids[4]!, revision: 6, metadata: { now: 1 } }),
      ]);
      t.same(kindsOf(results), ['written', 'written', 'conflict', 'written', 'conflict', 'written']);
      const revisions = (await store.load([...ids, idOf(99)])).map(
        (bytes) => bytes && guardOf(bytes).revision,
      );
      t.same(revisions, [2, 3, 3, 5, 6, undefined]);
      t.same(await store.memberships([ids[2]!]), [[]], 'nothing of the refused write happened');
    },
  );

  void t.test('the filter set is part of the guard', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1), filterSet: 3 })]);
    const behind = update({ id: idOf(1), revision: 2, filterSet: 4 }, { expected: guard(1, 2) });
    t.same(kindsOf(await store.commit([behind])), ['conflict']);
    const evaluated = update(
      { id: idOf(1), revision: 1, filterSet: 4 },
      { expected: guard(1, 3), matched: [4] },
    );
    t.same(kindsOf(await store.commit([evaluated])), ['written'], 'a filter set grows without a revision');
    t.same(kindsOf(await store.commit([evaluated])), ['conflict'], 'and only once');
    const late = update({ id: idOf(1), revision: 2, filterSet: 3 }, { expected: guard(1, 3) });
    t.same(kindsOf(await store.commit([late])), ['conflict'], 'a write that knows nothing of it is refused');
    t.same(guardOf((await store.load([idOf(1)]))[0]!), guard(1, 4));
  });

  void t.test('an id is registered once', async (t) => {
    const { store } = await open(t);
    const first = register({ id: idOf(1), metadata: { who: 'first' } });
    t.same(kindsOf(await store.commit([first])), ['written']);
    t.same(
      kindsOf(
        await store.commit([register({ id: idOf(1), application: 'other', metadata: { who: 'second' } })]),
      ),
      ['conflict'],
    );
    const two = await Promise.all([
      store.commit([register({ id: idOf(2) })]),
      store.commit([register({ id: idOf(2) })]),
    ]);
    t.same(kindsOf(two.flat()).sort(), ['conflict', 'written'], 'of two at the same time, one');
    t.equal(await store.count({}), 2);
    t.equal(await store.count({ application: 'other' }), 0);
    t.equal(decodeRecord((await store.load([idOf(1)]))[0]!).metadataText, '{"who":"first"}');
  });

  void t.test('many batches at the same time: each endpoint has one winner', async (t) => {
    const { store } = await open(t);
    const ids = Array.from({ length: 40 }, (_, i) => idOf(i));
    await written(
      t,
      store,
      ids.map((id) => register({ id })),
    );
    const batches = Array.from({ length: 8 }, (_, b) =>
      ids.map((id) => update({ id, revision: 2, metadata: { b } })),
    );
    const results = (await Promise.all(batches.map((batch) => store.commit(batch)))).flat();
    t.equal(results.filter((result) => result.kind === 'written').length, ids.length);
    t.equal(results.filter((result) => result.kind === 'conflict').length, ids.length * 7);
    t.same([...new Set((await store.load(ids)).map((bytes) => guardOf(bytes!).revision))], [2]);
  });

  void t.test('a token is held by one endpoint of an application', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1), tokenHash: 'aa' })]);
    const results = await store.commit([
      register({ id: idOf(2), tokenHash: 'aa' }),
      register({ id: idOf(3), tokenHash: 'bb' }),
      register({ id: idOf(4), application: 'other', tokenHash: 'aa' }),
    ]);
    t.same(kindsOf(results), ['token-taken', 'written', 'written']);
    t.same(await store.load([idOf(2)]), [undefined]);
    t.equal(await store.count({}), 3);
    const both = kindsOf(
      await store.commit([
        register({ id: idOf(5), tokenHash: 'cc' }),
        register({ id: idOf(6), tokenHash: 'cc' }),
      ]),
    );
    t.same(both.sort(), ['token-taken', 'written'], 'one of two in the same batch');
    const same = await store.commit([move({ id: idOf(1), revision: 2, version: 'app-v2', tokenHash: 'aa' })]);
    t.same(kindsOf(same), ['written'], 'its own token is no obstacle');
    const taken = await store.commit([move({ id: idOf(3), revision: 2, tokenHash: 'aa' })]);
    t.same(kindsOf(taken), ['token-taken'], 'nor can it be changed to');
    t.equal(guardOf((await store.load([idOf(3)]))[0]!).revision, 1);
  });

  void t.test('a token is free again after an unregistration, or when another takes its place', async (t) => {
    const { store } = await open(t);
    await written(t, store, [
      register({ id: idOf(1), tokenHash: 'aa' }),
      register({ id: idOf(2), tokenHash: 'bb' }),
    ]);
    await written(t, store, [unregister({ id: idOf(1), revision: 2 })]);
    await written(t, store, [register({ id: idOf(3), tokenHash: 'aa' })]);
    await written(t, store, [move({ id: idOf(2), revision: 2, tokenHash: 'dd' })]);
    await written(t, store, [register({ id: idOf(4), tokenHash: 'bb' })]);
    await written(t, store, [move({ id: idOf(2), revision: 3 })]);
    await written(t, store, [register({ id: idOf(5), tokenHash: 'dd' })]);
    const again = register({ id: idOf(1), revision: 3, tokenHash: 'aa' }, { expected: guard(2) });
    t.same(kindsOf(await store.commit([again])), ['token-taken'], 'who comes back finds it taken');
    t.ok(isTombstone((await store.load([idOf(1)]))[0]!));
  });

  void t.test('a tombstone is loaded, and nothing else sees it', async (t) => {
    const { store, reopen } = await open(t);
    await written(t, store, [
      register({ id: idOf(1) }, { matched: [1] }),
      register({ id: idOf(2) }, { matched: [1] }),
    ]);
    await written(t, store, [unregister({ id: idOf(1), revision: 2 }, { unmatched: [1] })]);
    for (const next of [() => store, reopen]) {
      const at = await next();
      const [bytes] = await at.load([idOf(1)]);
      t.ok(bytes && isTombstone(bytes));
      t.equal(guardOf(bytes!).revision, 2);
      t.same(await at.memberships([idOf(1)]), [[]]);
      for (const scope of [
        {},
        { tenant: 'kaa' },
        { application: 'app' },
        { application: 'app', version: 'app-v1' },
        { application: 'app', filterNumber: 1 },
      ]) {
        t.equal(await at.count(scope), 1);
        for (const sort of [CREATED, { by: 'endpointId', direction: 'desc' } as const]) {
          const page = await at.find({ scope, sort, offset: 0, limit: 10, withTotal: true });
          t.same(idsOf(page.records), [idOf(2)]);
          t.equal(page.total, 1);
        }
      }
      const page = await at.find({
        scope: {},
        endpointIds: [idOf(1), idOf(2)],
        sort: CREATED,
        offset: 0,
        limit: 10,
        withTotal: true,
      });
      t.same(idsOf(page.records), [idOf(2)]);
      t.equal(page.total, 1);
      t.same(idsOf((await at.scanStale('app', 9, 10)).records), [idOf(2)]);
    }
  });

  void t.test('who comes back writes over the tombstone, by its guard', async (t) => {
    const { store } = await open(t);
    await written(t, store, [
      register({ id: idOf(1), createdMs: 5000 }, { matched: [1, 2] }),
      register({ id: idOf(2), createdMs: 6000 }),
    ]);
    await written(t, store, [
      unregister({ id: idOf(1), revision: 2, createdMs: 5000 }, { unmatched: [1, 2] }),
    ]);
    t.same(kindsOf(await store.commit([register({ id: idOf(1) }, { expected: ABSENT })])), ['conflict']);
    t.same(kindsOf(await store.commit([register({ id: idOf(1) }, { expected: guard(1) })])), ['conflict']);
    const back = register(
      { id: idOf(1), revision: 3, createdMs: 7000, application: 'other', version: 'other-v1' },
      { expected: guard(2), matched: [1] },
    );
    await written(t, store, [back]);
    t.equal(await store.count({}), 2);
    t.equal(await store.count({ application: 'app' }), 1);
    t.equal(await store.count({ application: 'other', version: 'other-v1' }), 1);
    t.equal(await store.count({ application: 'app', filterNumber: 1 }), 0);
    t.equal(await store.count({ application: 'other', filterNumber: 1 }), 1);
    t.same(await store.memberships([idOf(1)]), [[1]]);
    const page = await store.find({ scope: {}, sort: CREATED, offset: 0, limit: 10, withTotal: false });
    t.same(idsOf(page.records), [idOf(2), idOf(1)], 'in its new place');
  });

  void t.test('scanStale pages over what was last evaluated with an older filter set', async (t) => {
    const { store, reopen } = await open(t);
    const writes = Array.from({ length: 30 }, (_, i) =>
      register({ id: idOf(i), filterSet: i % 3, createdMs: 1000 - i }),
    );
    await written(t, store, [...writes, register({ id: idOf(100), application: 'other' })]);
    await written(t, store, [unregister({ id: idOf(0), revision: 2 })]);
    const stale = Array.from({ length: 30 }, (_, i) => i).filter((i) => i % 3 < 2 && i !== 0);
    const none = { records: [], passed: 0 };
    for (const next of [() => store, reopen]) {
      const at = await next();
      const found: string[] = [];
      let after: string | undefined;
      let pages = 0;
      let passed = 0;
      do {
        const page = await at.scanStale('app', 2, 4, after);
        t.ok(page.records.length <= 4);
        t.ok(page.passed >= page.records.length);
        found.push(...idsOf(page.records));
        passed += page.passed;
        after = page.next;
        if (++pages > 40) throw new Error('The scan does not end.');
      } while (after !== undefined);
      t.same(found, stale.map(idOf).sort(), 'by id');
      t.ok(passed <= 29, `${passed} were passed`);
      t.same(await at.scanStale('nobody', 2, 4), none);
      t.same((await at.scanStale('app', 0, 4)).records, []);
      const rest = await at.scanStale('app', 2, 100, idOf(20));
      t.same(
        idsOf(rest.records),
        stale
          .map(idOf)
          .sort()
          .filter((id) => id > idOf(20)),
      );
      t.notOk('next' in rest);
    }
  });

  void t.test('a page of scanStale ends where its records are large', async (t) => {
    const { store } = await open(t);
    const metadata = { text: 'x'.repeat(1_500_000) };
    for (let i = 0; i < 5; i++) await written(t, store, [register({ id: idOf(i), metadata, filterSet: 1 })]);
    const ids = [0, 1, 2, 3, 4].map(idOf).sort();
    const page = await store.scanStale('app', 2, 100);
    t.same(idsOf(page.records), ids.slice(0, 3));
    t.same(idsOf((await store.scanStale('app', 2, 100, page.next)).records), ids.slice(3));
  });

  void t.test('a large record is kept', async (t) => {
    const { store, reopen } = await open(t);
    const metadata = { text: 'ї'.repeat(500_000) };
    await written(t, store, [register({ id: idOf(1), metadata })]);
    const [bytes] = await (await reopen()).load([idOf(1)]);
    t.equal(decodeRecord(bytes!).metadataText, JSON.stringify(metadata));
  });

  void t.test('what no endpoint can be called is not there', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1) })]);
    const odd = ['', 'x'.repeat(5000), 'ї'.repeat(900), '\0', '$where'];
    t.same(
      await store.load(odd),
      odd.map(() => undefined),
    );
    t.same(
      await store.memberships(odd),
      odd.map(() => []),
    );
    const page = await store.find({
      scope: {},
      endpointIds: odd,
      sort: CREATED,
      offset: 0,
      limit: 10,
      withTotal: true,
    });
    t.same([page.records, page.total], [[], 0]);
    for (const text of odd) {
      t.equal(await store.count({ application: text }), 0);
      t.equal(await store.count({ application: 'app', version: text }), 0);
      t.equal(await store.getTask(text), undefined);
    }
  });
}
