import type { Test } from 'tap';
import {
  guard,
  idOf,
  idsOf,
  kindsOf,
  register,
  unregister,
  update,
  written,
  type OpenStore,
} from './building.js';
import { queryOf } from './lists.js';

/** Which endpoints are members of which filters. */
export function membershipContract(t: Test, open: OpenStore): void {
  void t.test('a write says what its endpoint becomes and ceases to be a member of', async (t) => {
    const { store, reopen } = await open(t);
    await written(t, store, [register({ id: idOf(1) }, { matched: [9, 2, 300] }), register({ id: idOf(2) })]);
    t.same(
      await store.memberships([idOf(2), idOf(1), idOf(77)]),
      [[], [2, 9, 300], []],
      'ascending, in the order of the ids',
    );
    await written(t, store, [update({ id: idOf(1), revision: 2 }, { matched: [5], unmatched: [9] })]);
    await written(t, store, [update({ id: idOf(1), revision: 3 })]);
    t.same(await store.memberships([idOf(1)]), [[2, 5, 300]], 'a write that names none changes none');
    const again = await reopen();
    t.same(await again.memberships([idOf(1)]), [[2, 5, 300]]);
    t.same(await again.memberships([]), []);
    const counts = await Promise.all(
      [2, 5, 9, 300].map((filterNumber) => again.count({ application: 'app', filterNumber })),
    );
    t.same(counts, [1, 1, 0, 1]);
  });

  void t.test('to become what it is, or cease what it is not, changes nothing', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1) }, { matched: [1] })]);
    await written(t, store, [update({ id: idOf(1), revision: 2 }, { matched: [1], unmatched: [4] })]);
    t.equal(await store.count({ application: 'app', filterNumber: 1 }), 1);
    t.equal(await store.count({ application: 'app', filterNumber: 4 }), 0);
    t.same(await store.memberships([idOf(1)]), [[1]]);
    await written(t, store, [update({ id: idOf(1), revision: 3 }, { unmatched: [1] })]);
    t.equal(await store.count({ application: 'app', filterNumber: 1 }), 0);
    t.same(
      idsOf((await store.find(queryOf({ scope: { application: 'app', filterNumber: 1 } }))).records),
      [],
    );
  });

  void t.test('a refused write changes no membership', async (t) => {
    const { store } = await open(t);
    await written(t, store, [register({ id: idOf(1) }, { matched: [1] })]);
    const refused = update(
      { id: idOf(1), revision: 2 },
      { expected: guard(1, 9), matched: [2], unmatched: [1] },
    );
    t.same(kindsOf(await store.commit([refused])), ['conflict']);
    t.same(await store.memberships([idOf(1)]), [[1]]);
    t.equal(await store.count({ application: 'app', filterNumber: 2 }), 0);
  });

  void t.test('the same number in two applications names two filters', async (t) => {
    const { store } = await open(t);
    await written(t, store, [
      register({ id: idOf(1) }, { matched: [1] }),
      register({ id: idOf(2), application: 'other' }, { matched: [1] }),
    ]);
    const members = async (application: string) =>
      idsOf((await store.find(queryOf({ scope: { application, filterNumber: 1 } }))).records);
    t.same(await members('app'), [idOf(1)]);
    t.same(await members('other'), [idOf(2)]);
    await store.dropMemberships('app', 1);
    t.same(await members('app'), []);
    t.same(await members('other'), [idOf(2)]);
    t.same(await store.memberships([idOf(1), idOf(2)]), [[], [1]]);
  });

  void t.test('memberships under a number are dropped whole, and members keep the rest', async (t) => {
    const { store, reopen } = await open(t);
    const writes = Array.from({ length: 2500 }, (_, i) =>
      register({ id: idOf(i), createdMs: 1000 + i }, { matched: i % 2 === 0 ? [1, 2] : [2] }),
    );
    for (let i = 0; i < writes.length; i += 500) await written(t, store, writes.slice(i, i + 500));
    t.equal(await store.count({ application: 'app', filterNumber: 1 }), 1250);
    await written(t, store, [
      unregister({ id: idOf(0), revision: 2, createdMs: 1000 }, { unmatched: [1, 2] }),
    ]);
    await store.dropMemberships('app', 1);
    await store.dropMemberships('app', 1);
    await store.dropMemberships('app', 77);
    for (const next of [() => store, reopen]) {
      const at = await next();
      t.equal(await at.count({ application: 'app', filterNumber: 1 }), 0);
      t.same(
        (await at.find(queryOf({ scope: { application: 'app', filterNumber: 1 }, withTotal: true }))).total,
        0,
      );
      t.equal(await at.count({ application: 'app', filterNumber: 2 }), 2499);
      t.same(await at.memberships([idOf(0), idOf(1), idOf(2), idOf(2498)]), [[], [2], [2], [2]]);
    }
  });

  void t.test('writes go on while memberships are dropped', async (t) => {
    const { store } = await open(t);
    const ids = Array.from({ length: 1500 }, (_, i) => idOf(i));
    for (let i = 0; i < ids.length; i += 500)
      await written(
        t,
        store,
        ids.slice(i, i + 500).map((id) => register({ id }, { matched: [1, 2] })),
      );
    const dropped = store.dropMemberships('app', 1);
    for (let revision = 2; revision < 6; revision++) {
      await written(
        t,
        store,
        ids
          .slice(0, 50)
          .map((id) => update({ id, revision }, revision % 2 === 0 ? { matched: [3] } : { unmatched: [3] })),
      );
    }
    await dropped;
    t.same(
      await Promise.all([1, 2, 3].map((filterNumber) => store.count({ application: 'app', filterNumber }))),
      [0, 1500, 0],
    );
    t.same([...new Set((await store.memberships(ids)).map(String))], ['2']);
  });
}
