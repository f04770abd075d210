import t, { type Test } from 'tap';
import { MongoClient } from 'mongodb';
import type { SavedFilter } from '../../src/model/filter.js';
import { openStore, type Replication, type Store } from '../../src/storage/index.js';
import { startMongo } from '../servers/index.js';
import { filterOf, idOf, kindsOf, register, update, written } from './contract/building.js';

t.setTimeout(120_000);
const mongo = await startMongo(t);

async function open(t: Test, url: string): Promise<{ store: Store; replication: Replication }> {
  const store = await openStore({ url, durability: 'sync' });
  t.teardown(() => store.close());
  return { store, replication: store.replication! };
}

function namesOf(filters: readonly SavedFilter[]): string[] {
  return filters.map(({ name }) => name).sort();
}

if (mongo !== undefined) {
  void t.test('rows of replicas', async (t) => {
    const { replication } = await open(t, mongo.freshUrl());
    const a = { id: 'a', session: '1', known: 3, validMs: 10_000 };
    t.same(await replication.replicas(), []);
    t.same(await replication.join(a), { kind: 'joined' });
    t.same(await replication.join(a), { kind: 'joined' }, 'its own row is no obstacle');
    t.match(await replication.join({ ...a, session: '2' }), { kind: 'taken', by: a });
    t.match(
      await replication.join({ ...a, session: '2' }, 'x'),
      { kind: 'taken' },
      'not the one to be replaced',
    );
    t.equal(await replication.renew({ ...a, session: '2' }), false);
    t.equal(await replication.renew({ ...a, known: 4 }), true);
    t.match(await replication.replicas(), [{ ...a, known: 4 }]);
    t.same(await replication.join({ id: 'a', session: '2', known: 0, validMs: 10_000 }, '1'), {
      kind: 'joined',
    });
    t.equal(await replication.renew(a), false, 'it was replaced');
    await replication.leave(a);
    t.equal((await replication.replicas()).length, 1, 'the row is not of that session');
    await new Promise((resolve) => setTimeout(resolve, 60));
    const [row] = await replication.replicas();
    t.ok(row!.ageMs >= 50, `${row!.ageMs} ms old`);
    await replication.leave({ id: 'a', session: '2' });
    t.same(await replication.replicas(), []);
  });

  void t.test('an update that arrives when its process is out of date changes nothing', async (t) => {
    const { store, replication } = await open(t, mongo.freshUrl());
    const own = { id: 'a', session: '1', known: 0, validMs: 60_000 };
    await replication.join(own);
    await replication.renew(own);
    const first = register({ id: 'late' });
    t.match(await store.commit([first]), [{ kind: 'written' }]);
    const change = update({ id: 'late', revision: 2 });
    await replication.renew({ ...own, validMs: 0 });
    t.same(await store.commit([change]), [{ kind: 'conflict' }]);
    t.same((await store.load(['late']))[0], first.record, 'what it was');
    t.match(
      await store.commit([register({ id: 'new' })]),
      [{ kind: 'written' }],
      'there is nothing to compare with',
    );
    await replication.renew(own);
    t.match(await store.commit([change]), [{ kind: 'written' }]);
  });

  void t.test('a lease is one session’s, until it is released or the session is dead', async (t) => {
    const { replication } = await open(t, mongo.freshUrl());
    const alive = () => Promise.resolve(false);
    const dead = () => Promise.resolve(true);
    const taken = await Promise.all(
      ['1', '2', '3'].map((session) => replication.takeLease('work', session, alive)),
    );
    t.same([...taken].sort(), [false, false, true], 'one of three');
    const holder = String(taken.indexOf(true) + 1);
    t.equal(await replication.takeLease('work', holder, alive), true, 'again');
    t.equal(await replication.takeLease('work', 'x', alive), false);
    t.equal(await replication.takeLease('other work', 'x', alive), true);
    const heirs = await Promise.all(
      ['y', 'z'].map((session) => replication.takeLease('work', session, dead)),
    );
    t.ok(heirs.includes(true), 'of a dead one');
    t.equal(await replication.takeLease('work', holder, alive), false);
    await replication.releaseLease('work', holder);
    t.equal(await replication.takeLease('work', holder, alive), false, 'it was not the holder’s to release');
  });

  void t.test('changes of filters are one sequence, which every replica can follow', async (t) => {
    const url = mongo.freshUrl();
    const a = await open(t, url);
    const b = await open(t, url);
    t.equal(await a.replication.filterChanges(), 0);
    t.match(await a.replication.readFilterChanges(), { changes: 0, filters: [], whole: true });
    const cold = filterOf({ name: 'cold', number: 1 });
    t.match(await a.store.commitFilters([{ filter: cold, expectedRevision: 0 }], 0), [
      { kind: 'written', change: 1 },
    ]);
    const warm = filterOf({ name: 'warm', number: 1 });
    t.same(kindsOf(await b.store.commitFilters([{ filter: warm, expectedRevision: 0 }], 0)), ['behind']);
    const news = await b.replication.readFilterChanges(0);
    t.match(news, { changes: 1, versions: new Map([['app', 1]]), whole: false });
    t.same(news.filters, [cold]);
    const warmer = { ...warm, number: 2 };
    t.same(kindsOf(await b.store.commitFilters([{ filter: warmer, expectedRevision: 0 }], 1)), ['written']);
    const gone = { ...cold, revision: 2, deletedMs: 5, version: 3 };
    await b.store.commitFilters([{ filter: gone, expectedRevision: 1 }], 2);
    await b.store.removeFilter('app', cold.id);
    const later = await a.replication.readFilterChanges(1);
    t.match(later, { changes: 3, versions: new Map([['app', 3]]), whole: false });
    t.same(namesOf(later.filters), ['cold', 'warm']);
    t.equal(
      later.filters.find(({ name }) => name === 'cold')!.deletedMs,
      5,
      'one that is removed is told of',
    );
    t.same(namesOf((await a.replication.readFilterChanges()).filters), ['warm']);

    const numbers = await Promise.all(
      [a, b].map(async ({ store, replication }, i) => {
        for (let made = 0, tries = 0; made < 10 && tries < 500; tries++) {
          const { changes, versions } = await replication.readFilterChanges();
          const filter = filterOf({ name: `${i} ${made}`, number: versions.get('app')! + 1 });
          const [result] = await store.commitFilters([{ filter, expectedRevision: 0 }], changes);
          if (result!.kind === 'written') made++;
        }
        return replication.filterChanges();
      }),
    );
    t.equal(Math.max(...numbers), 23);
    const all = await a.replication.readFilterChanges();
    t.equal(new Set(all.filters.map(({ number }) => number)).size, 21, 'no number is given twice');
    t.equal(all.versions.get('app'), 23);
  });

  void t.test('a change that was left in the middle is carried out by whoever comes', async (t) => {
    const url = mongo.freshUrl();
    const a = await open(t, url);
    const cold = filterOf({ name: 'cold', number: 1 });
    await a.store.commitFilters([{ filter: cold, expectedRevision: 0 }]);
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    const late = { ...cold, revision: 2, name: 'frost' };
    const fresh = filterOf({ name: 'new', number: 2 });
    const pending = {
      change: 2,
      filters: [late, fresh].map((filter) => ({ filter: JSON.stringify(filter) })),
    };
    await client
      .db()
      .collection<{ _id: string }>('filterLog')
      .updateOne(
        { _id: 'filters' },
        { $set: { revision: 2, pending, versions: [{ application: 'app', version: 2 }] } },
      );
    const b = await open(t, url);
    t.same(namesOf((await b.replication.readFilterChanges(1)).filters), ['frost', 'new']);
    t.same(
      kindsOf(
        await a.store.commitFilters([
          { filter: filterOf({ name: 'frost' }), expectedRevision: 0 },
          { filter: filterOf({ name: 'cold' }), expectedRevision: 0 },
        ]),
      ),
      ['name-taken', 'written'],
    );
    t.equal(await b.replication.filterChanges(), 3);
  });

  void t.test('versions go on from what was counted before there was a log', async (t) => {
    const url = mongo.freshUrl();
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    await client
      .db()
      .collection<{ _id: string }>('counters')
      .insertOne({ _id: 'app', filterNumber: 7 } as never);
    const { store } = await open(t, url);
    t.same(await store.filterSetVersions(), new Map([['app', 7]]));
  });

  void t.test('endpoints below a version', async (t) => {
    const { store, replication } = await open(t, mongo.freshUrl());
    await written(t, store, [
      register({ id: idOf(1), filterSet: 1 }),
      register({ id: idOf(2), filterSet: 3 }),
      register({ id: idOf(3), filterSet: 2 }),
    ]);
    t.same((await replication.findOutdated('app', 3, 10)).sort(), [idOf(1), idOf(3)].sort());
    t.equal((await replication.findOutdated('app', 3, 1)).length, 1);
    t.same(await replication.findOutdated('app', 1, 10), []);
    t.same(await replication.findOutdated('other', 3, 10), []);
  });
}
