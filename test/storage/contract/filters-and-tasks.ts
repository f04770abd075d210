import { encodeEvents } from '../../../src/model/event.js';
import { randomUUID } from 'node:crypto';
import type { Test } from 'tap';
import type { SavedFilter } from '../../../src/model/filter.js';
import type { StoredTask } from '../../../src/storage/port.js';
import { filterOf, idOf, kindsOf, register, written, type OpenStore } from './building.js';

function sorted(filters: readonly SavedFilter[]): SavedFilter[] {
  return [...filters].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What is stored beside records: filters, their numbers, tasks, secrets. */
export function filterContract(t: Test, open: OpenStore): void {
  void t.test('filters are created, changed by their revision, and loaded as they were given', async (t) => {
    const { store, reopen } = await open(t);
    const a = filterOf({
      name: 'a',
      description: 'Київ',
      queryText: '{"b":1,"a":{"$gt":2}}',
      retired: [1, 2],
      number: 3,
    });
    const b = filterOf({ name: 'b', application: 'other', status: 'active' });
    t.match(
      await store.commitFilters([
        { filter: a, expectedRevision: 0 },
        { filter: b, expectedRevision: 0 },
      ]),
      [
        { kind: 'written', outbox: undefined },
        { kind: 'written', outbox: undefined },
      ],
    );
    t.same(sorted(await store.loadFilters()), sorted([a, b]));
    const changed = { ...a, revision: 2, name: 'a2' };
    const results = await store.commitFilters([
      { filter: changed, expectedRevision: 1 },
      { filter: { ...b, revision: 6 }, expectedRevision: 5 },
      { filter: filterOf({ name: 'c' }), expectedRevision: 4 },
    ]);
    t.same(kindsOf(results), ['written', 'conflict', 'conflict']);
    t.same(
      kindsOf(await store.commitFilters([{ filter: changed, expectedRevision: 0 }])),
      ['conflict'],
      'it exists already',
    );
    t.same(sorted(await (await reopen()).loadFilters()), sorted([changed, b]));
  });

  void t.test('how far a recalculation is', async (t) => {
    const { store, reopen } = await open(t);
    t.equal(await store.getPass('app'), undefined);
    const round = { target: 7, evaluated: 0, hasTurned: false, isClean: true };
    const rounds = [
      { ...round, evaluated: 1000, hasTurned: true },
      { ...round, target: 9, from: 'e-0' },
    ];
    const pass = { after: 'e-1', rounds, total: 2000, perSecond: 12.5 };
    await store.putPass('app', { rounds: [round] });
    await store.putPass('other', { rounds: [] });
    t.same(await store.getPass('app'), { rounds: [round] });
    await store.putPass('app', pass);
    const at = await reopen();
    t.same(await at.getPass('app'), pass);
    await at.putPass('app', undefined);
    await at.putPass('nobody', undefined);
    t.equal(await at.getPass('app'), undefined);
    t.same(await at.getPass('other'), { rounds: [] });
  });

  void t.test('a name is held by one filter of an application that is not deleted', async (t) => {
    const { store, reopen } = await open(t);
    const a = filterOf({ name: 'cold' });
    await store.commitFilters([{ filter: a, expectedRevision: 0 }]);
    const results = await store.commitFilters([
      { filter: filterOf({ name: 'cold' }), expectedRevision: 0 },
      { filter: filterOf({ name: 'cold', application: 'other' }), expectedRevision: 0 },
      { filter: filterOf({ name: 'Cold' }), expectedRevision: 0 },
    ]);
    t.same(kindsOf(results), ['name-taken', 'written', 'written']);
    const twins = [filterOf({ name: 'twin' }), filterOf({ name: 'twin' })].map((filter) => ({
      filter,
      expectedRevision: 0,
    }));
    t.same(
      kindsOf(await store.commitFilters(twins)).sort(),
      ['name-taken', 'written'],
      'one of two in the same batch',
    );
    const b = filterOf({ name: 'warm' });
    await store.commitFilters([{ filter: b, expectedRevision: 0 }]);
    t.same(
      kindsOf(
        await store.commitFilters([{ filter: { ...b, revision: 2, name: 'cold' }, expectedRevision: 1 }]),
      ),
      ['name-taken'],
    );
    const same = { ...a, revision: 2, description: 'its own name is no obstacle' };
    t.same(kindsOf(await store.commitFilters([{ filter: same, expectedRevision: 1 }])), ['written']);

    t.same(
      kindsOf(
        await store.commitFilters([
          {
            filter: { ...a, revision: 3, deletedMs: 5 },
            expectedRevision: 2,
            events: encodeEvents({ source: a.id, tenant: a.tenant, application: 'app', events: [] }),
          },
        ]),
      ),
      ['written'],
    );
    const heir = filterOf({ name: 'cold' });
    const again = await reopen();
    t.same(
      kindsOf(await again.commitFilters([{ filter: heir, expectedRevision: 0 }])),
      ['written'],
      'free after a deletion',
    );
    t.equal(
      (await again.loadFilters()).filter((filter) => filter.name === 'cold' && filter.application === 'app')
        .length,
      2,
    );
    await again.removeFilter('app', a.id);
    await again.removeFilter('app', a.id);
    const due = (await again.readOutbox(100)).filter(({ position }) => position.source === a.id);
    t.equal(due.length, 1, 'what it has still to publish stays');
    await again.clearOutbox(due.map(({ position }) => position));
    t.notOk((await again.loadFilters()).some(({ id }) => id === a.id));
    await again.removeFilter('app', randomUUID());
    t.same(
      kindsOf(await again.commitFilters([{ filter: filterOf({ name: 'cold' }), expectedRevision: 0 }])),
      ['name-taken'],
      'the heir still has it',
    );
    t.same(
      kindsOf(
        await again.commitFilters([{ filter: { ...heir, revision: 2, name: 'cool' }, expectedRevision: 1 }]),
      ),
      ['written'],
    );
    t.same(
      kindsOf(await again.commitFilters([{ filter: filterOf({ name: 'cold' }), expectedRevision: 0 }])),
      ['written'],
      'free after a new name',
    );
  });

  void t.test('the newest filter-set version of each application outlives its filters', async (t) => {
    const { store, reopen } = await open(t);
    t.same(await store.filterSetVersions(), new Map());
    const a = filterOf({ name: 'a', number: 2 });
    await store.commitFilters([
      { filter: a, expectedRevision: 0 },
      { filter: filterOf({ name: 'b', number: 3 }), expectedRevision: 0 },
      { filter: filterOf({ name: 'c', number: 1, application: 'other' }), expectedRevision: 0 },
    ]);
    const versions = () => new Map([...versionsNow].sort());
    let versionsNow = await store.filterSetVersions();
    t.same(versions(), new Map(Object.entries({ app: 3, other: 1 })));
    const gone = { ...a, revision: 2, deletedMs: 7, version: 4 };
    t.same(kindsOf(await store.commitFilters([{ filter: gone, expectedRevision: 1 }])), ['written']);
    await store.removeFilter('app', a.id);
    const again = await reopen();
    versionsNow = await again.filterSetVersions();
    t.same(
      versions(),
      new Map(Object.entries({ app: 4, other: 1 })),
      'a version that is not a number counts',
    );
    t.same(
      kindsOf(
        await again.commitFilters([{ filter: filterOf({ name: 'd', number: 9 }), expectedRevision: 5 }]),
      ),
      ['conflict'],
    );
    versionsNow = await again.filterSetVersions();
    t.same(versions(), new Map(Object.entries({ app: 4, other: 1 })), 'of what is not written, none');
  });

  void t.test('tasks are written, read, listed while open, and expire when complete', async (t) => {
    const { store, reopen } = await open(t);
    const task = (createdMs: number, complete: boolean): StoredTask => ({
      id: randomUUID(),
      application: 'app',
      createdMs,
      complete,
      body: `{"at":${createdMs}}`,
    });
    const [oldDone, oldOpen, newDone, newOpen] = [
      task(1000, true),
      task(1001, false),
      task(5000, true),
      task(5001, false),
    ];
    for (const each of [oldDone, oldOpen, newDone, newOpen]) await store.putTask(each);
    t.same(await store.getTask(oldDone.id), oldDone);
    t.equal(await store.getTask(randomUUID()), undefined);
    const ids = (tasks: readonly StoredTask[]) => tasks.map((each) => each.id).sort();
    const again = await reopen();
    t.same(ids(await again.openTasks()), ids([oldOpen, newOpen]));
    await again.putTask({ ...newOpen, complete: true, body: '{"done":true}' });
    t.same(await again.getTask(newOpen.id), { ...newOpen, complete: true, body: '{"done":true}' });
    t.same(await again.openTasks(), [oldOpen]);
    await again.putTask({ ...oldOpen, body: '{"half":true}' });
    t.same(await again.getTask(oldOpen.id), { ...oldOpen, body: '{"half":true}' });
    await again.putTask(oldOpen);
    await again.putTask({ ...newOpen, body: '{"half":true}' });
    t.match(await again.getTask(newOpen.id), { complete: true, body: '{"done":true}' }, 'complete for good');
    t.equal(await again.expireTasks(5000), 1, 'complete and created before');
    t.equal(await again.expireTasks(5000), 0);
    t.equal(await again.getTask(oldDone.id), undefined);
    t.same(await again.getTask(oldOpen.id), oldOpen, 'an open task does not expire');
    t.same(await again.getTask(newDone.id), newDone);
  });

  void t.test('secrets are made once', async (t) => {
    const { store, reopen } = await open(t);
    const [a, sameTime] = await Promise.all([store.secret('tokens'), store.secret('tokens')]);
    const other = await store.secret('cursors');
    const again = await (await reopen()).secret('tokens');
    t.equal(a.length, 32);
    t.equal(Buffer.from(a).toString('hex'), Buffer.from(sameTime).toString('hex'));
    t.equal(Buffer.from(a).toString('hex'), Buffer.from(again).toString('hex'));
    t.not(Buffer.from(a).toString('hex'), Buffer.from(other).toString('hex'));
  });

  void t.test('texts by name', async (t) => {
    const { store, reopen } = await open(t);
    t.equal(await store.getText('a'), undefined);
    await store.putText('a', 'ü');
    await store.putText('__proto__', '');
    const long = 'x€'.repeat(1_000_000);
    await Promise.all([store.putText('a', long), store.putText('b', '2')]);
    t.equal((await store.getText('a')) === long, true);
    const again = await reopen();
    t.equal((await again.getText('a')) === long, true);
    t.equal(await again.getText('b'), '2');
    t.equal(await again.getText('__proto__'), '');
    t.equal(await again.getText('c'), undefined);
    const names = ['list/a', 'list/a/b', 'list/b', 'list/~ü'];
    await Promise.all([...names].reverse().map((name) => again.putText(name, `of ${name}`)));
    await again.putText('list', 'x');
    await again.putText('lisu', 'x');
    const all = names.map((name) => ({ name, text: `of ${name}` }));
    t.same(await again.listTexts('list/', 10), all);
    t.same(await again.listTexts('list/', 2), all.slice(0, 2));
    t.same(await again.listTexts('list/', 2, 'list/a/b'), all.slice(2));
    t.same(await again.listTexts('list/', 2, 'list/aa'), all.slice(2), 'behind one that is gone');
    t.same(await again.listTexts('none/', 2), []);
    await Promise.all([again.removeText('list/a'), again.removeText('list/none')]);
    t.same(await again.listTexts('list/', 10), all.slice(1));
  });

  void t.test('a store says its indexes, answers a ping, and refuses calls after its end', async (t) => {
    const { store, reopen } = await open(t);
    t.ok(store.indexes.length > 0);
    for (const index of store.indexes)
      t.ok(index.name !== '' && index.purpose !== '' && !index.purpose.includes('\n'));
    t.ok(Array.isArray(store.notes));
    await store.ping();
    const last = store.commit([register({ id: idOf(1) })]);
    const again = await reopen();
    t.same(kindsOf(await last), ['written'], 'what is under way ends well');
    await t.rejects(store.ping());
    await t.rejects(store.load([idOf(1)]));
    if (store.loadNow !== undefined) t.throws(() => store.loadNow?.(idOf(1)));
    if (store.peek !== undefined) t.throws(() => store.peek?.(idOf(1), true));
    await t.rejects(store.commit([register({ id: idOf(2) })]));
    t.equal(await again.count({}), 1);
    await written(t, again, [register({ id: idOf(2) })]);
  });
}
