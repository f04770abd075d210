import t from 'tap';
import { StorageUnavailable, type Store } from '../../src/storage/index.js';
import {
  codeOf,
  COLD,
  command,
  CONTEXT,
  createFilter,
  fill,
  filterEvents,
  fleet,
  freshMembers,
  HOT,
  membersOf,
  outboxOf,
  set,
  start,
  until,
  untilActive,
  valueOf,
} from './support.js';

const draft = (name: string, mongoQuery: unknown = HOT) => ({
  name,
  description: '',
  mongoQuery: mongoQuery as never,
});

void t.test('from pending to active, changed, deleted', async (t) => {
  const running = await start(t);
  const { filters } = running.register;
  await fill(t, running, fleet(1000));
  const made = await createFilter(running, 'hot', HOT);
  t.match(made.filter, {
    status: 'pending',
    number: 1,
    revision: 1,
    name: 'hot',
    tenant: 'kaa',
    application: 'app',
    retired: [],
  });
  const active = await untilActive(running, made.filter.id);
  t.equal(active.matchedEndpointsCount, 500);
  t.equal(active.filter.revision, 2);
  t.not(active.etag, made.etag);
  t.same(await membersOf(running, 1), await freshMembers(running, HOT));
  t.same(filterEvents(running.events, made.filter.id), ['filter-pending 1', 'filter-activated 2']);
  t.notOk(
    running.events.some(({ events }) => events.some(({ kind }) => kind === 'ep-matched')),
    'the initial evaluation publishes no ep-matched',
  );

  const renamed = valueOf(await filters.change(CONTEXT, 'app', made.filter.id, { name: 'warm' }));
  t.match(renamed.filter, { status: 'active', number: 1, revision: 3, name: 'warm' });
  t.match(
    valueOf(
      await filters.change(CONTEXT, 'app', made.filter.id, { name: 'warm', mongoQuery: JSON.stringify(HOT) }),
    ).filter,
    { revision: 3 },
    'nothing changes',
  );
  const other = valueOf(await filters.change(CONTEXT, 'app', made.filter.id, { mongoQuery: COLD }));
  t.match(other.filter, { status: 'pending', revision: 4 });
  t.ok(other.filter.number > 1, 'a new query has a new number');
  t.equal((await untilActive(running, made.filter.id)).matchedEndpointsCount, 500);
  t.same(await membersOf(running, other.filter.number), await freshMembers(running, COLD));
  await until(async () => (await membersOf(running, 1)).length === 0);
  await until(
    async () => valueOf(await filters.get(CONTEXT, 'app', made.filter.id)).filter.retired.length === 0,
  );

  t.equal(codeOf(await filters.remove(CONTEXT, 'app', made.filter.id)), 'ok');
  t.equal(codeOf(await filters.get(CONTEXT, 'app', made.filter.id)), 'filter-not-found');
  t.equal(codeOf(await filters.remove(CONTEXT, 'app', made.filter.id)), 'filter-not-found');
  await until(async () => (await running.store.loadFilters()).length === 0);
  t.same(await running.store.memberships(['e1', 'e30']), [[], []]);
  const kinds = filterEvents(await outboxOf(running), made.filter.id);
  t.same(kinds, [
    'filter-pending 1',
    'filter-activated 2',
    'filter-pending 4',
    'filter-activated 5',
    'filter-deleted 6',
  ]);
  t.equal(codeOf(await running.register.endpoints.submit(set('e1', 'temp', 30))), 'applied');
  t.equal((await createFilter(running, 'warm', HOT)).filter.name, 'warm', 'its name is free');
});

void t.test('names, limits, preconditions, tenants, bad queries', async (t) => {
  const running = await start(t);
  const { filters } = running.register;
  const { filter } = await createFilter(running, 'one', HOT);
  const { etag } = await untilActive(running, filter.id);
  t.equal(codeOf(await filters.create(CONTEXT, 'app', draft('one'))), 'filter-name-taken');
  t.equal(codeOf(await filters.create(CONTEXT, 'nowhere', draft('two'))), 'application-not-found');
  t.equal(
    codeOf(await filters.create({ ...CONTEXT, tenant: 'acme' }, 'app', draft('two'))),
    'application-not-found',
  );
  t.equal(codeOf(await filters.create(CONTEXT, 'app', draft(' '))), 'invalid-body');
  for (const query of [{ $where: '1' }, { a: { $foo: 1 } }, '{"a":1,"a":2}', 'x', 5, null, []])
    t.equal(
      codeOf(await filters.create(CONTEXT, 'app', draft('two', query))),
      'invalid-query',
      JSON.stringify(query),
    );
  t.equal(codeOf(await filters.get({ ...CONTEXT, tenant: 'acme' }, 'app', filter.id)), 'filter-not-found');
  t.equal(codeOf(await filters.get(CONTEXT, 'other', filter.id)), 'filter-not-found');
  t.equal(
    codeOf(await filters.change(CONTEXT, 'app', filter.id, { name: 'x' }, ['"old"'])),
    'precondition-failed',
  );
  t.equal(codeOf(await filters.remove(CONTEXT, 'app', filter.id, ['"old"'])), 'precondition-failed');
  t.equal(codeOf(await filters.change(CONTEXT, 'app', filter.id, { description: 'd' }, [etag])), 'ok');
  t.equal(codeOf(await filters.remove(CONTEXT, 'app', filter.id, [etag])), 'precondition-failed');
  const second = await createFilter(running, 'two', COLD);
  t.equal(
    codeOf(await filters.change(CONTEXT, 'app', second.filter.id, { name: 'one' })),
    'filter-name-taken',
  );
  const many = await Promise.all(
    Array.from({ length: 60 }, (_, i) => filters.create(CONTEXT, 'app', draft(`many ${i}`))),
  );
  t.equal(
    many.filter(({ kind }) => kind === 'ok').length,
    48,
    'as many as are allowed, also when all come at once',
  );
  t.equal(codeOf(many.at(-1)!), 'too-many-filters');
  const same = await start(t);
  const twins = await Promise.all(
    Array.from({ length: 5 }, () => same.register.filters.create(CONTEXT, 'app', draft('twin'))),
  );
  t.same(twins.map(codeOf).sort(), [
    'filter-name-taken',
    'filter-name-taken',
    'filter-name-taken',
    'filter-name-taken',
    'ok',
  ]);
});

void t.test('a list is by name, and follows what comes, goes and is renamed', async (t) => {
  const running = await start(t);
  const { filters } = running.register;
  const names = async (name?: string, offset = 0, limit = 100) => {
    const page = valueOf(
      await filters.list(CONTEXT, 'app', name === undefined ? { offset, limit } : { name, offset, limit }),
    );
    return [page.total, page.filters.map(({ filter }) => filter.name)];
  };
  t.same(await names(), [0, []]);
  const [b, d, a] = await Promise.all(['b', 'd', 'a'].map((name) => createFilter(running, name, HOT)));
  t.same(await names(), [3, ['a', 'b', 'd']]);
  await filters.change(CONTEXT, 'app', b!.filter.id, { name: 'Ce' });
  await createFilter(running, 'b', HOT);
  t.same(await names(), [4, ['Ce', 'a', 'b', 'd']]);
  t.same(await names('c'), [1, ['Ce']], 'whatever the case');
  t.same(await names(undefined, 1, 2), [4, ['a', 'b']]);
  t.same(await names(undefined, 9), [4, []]);
  await filters.remove(CONTEXT, 'app', d!.filter.id);
  await filters.remove(CONTEXT, 'app', a!.filter.id);
  await createFilter(running, 'a', COLD);
  t.same(await names(), [3, ['Ce', 'a', 'b']]);
  await filters.remove(CONTEXT, 'app', b!.filter.id);
  t.same(await names(), [2, ['a', 'b']]);
  t.equal(codeOf(await filters.list(CONTEXT, 'nowhere', { offset: 0, limit: 1 })), 'application-not-found');
});

void t.test('filters that come, change and go at once; writes go on between them', async (t) => {
  const running = await start(t);
  await fill(t, running, fleet(300));
  const { filters, endpoints } = running.register;
  let changing = true;
  let written = 0;
  const writer = (async () => {
    while (changing) {
      const outcome = await endpoints.submit(set(`e${written % 300}`, 'temp', written % 40));
      t.match(outcome.kind, /applied|unchanged/);
      written++;
    }
  })();
  await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      const { filter } = await createFilter(running, `f${i}`, i % 2 === 0 ? HOT : COLD);
      if (i % 3 === 0)
        await filters.change(CONTEXT, 'app', filter.id, { mongoQuery: i % 2 === 0 ? COLD : HOT });
      if (i % 5 === 0) await filters.remove(CONTEXT, 'app', filter.id);
    }),
  );
  changing = false;
  await writer;
  t.ok(written > 0, `${written} writes meanwhile`);
  const left = valueOf(await filters.list(CONTEXT, 'app', { offset: 0, limit: 100 }));
  t.equal(left.total, 24);
  for (const { filter } of left.filters) {
    const { filter: active, matchedEndpointsCount } = await untilActive(running, filter.id);
    const fresh = await freshMembers(running, JSON.parse(active.queryText) as never);
    t.same(await membersOf(running, active.number), fresh, active.name);
    t.equal(matchedEndpointsCount, fresh.length);
  }
  t.equal(new Set(left.filters.map(({ filter }) => filter.number)).size, 24, 'no number twice');
});

/** The n-th commit of filters is made, and its answer is lost. */
function losing(store: Store, which: number): Store {
  let calls = 0;
  return {
    ...store,
    commitFilters: async (writes) => {
      const results = await store.commitFilters(writes);
      if (++calls === which) throw new StorageUnavailable('The answer is lost.');
      return results;
    },
  };
}

void t.test('a filter whose commit is in doubt is found, evaluated and made active', async (t) => {
  const running = await start(t, { wrap: (store) => losing(store, 1) });
  await fill(t, running, fleet(100));
  const { filters } = running.register;
  t.equal(codeOf(await filters.create(CONTEXT, 'app', draft('lost'))), 'storage-unavailable');
  // a write now is computed without it; the next filter's number must not hide that
  await running.register.endpoints.submit(set('e0', 'temp', 39));
  const second = await createFilter(running, 'second', COLD);
  await running.register.endpoints.submit(set('e1', 'temp', 39));
  await until(async () => valueOf(await filters.list(CONTEXT, 'app', { offset: 0, limit: 9 })).total === 2);
  const [lost] = valueOf(await filters.list(CONTEXT, 'app', { offset: 0, limit: 9 })).filters;
  t.equal(lost!.filter.name, 'lost');
  for (const id of [lost!.filter.id, second.filter.id]) {
    const { filter } = await untilActive(running, id);
    t.same(
      await membersOf(running, filter.number),
      await freshMembers(running, JSON.parse(filter.queryText) as never),
      filter.name,
    );
  }
});

void t.test('an activation and a deletion whose commits are in doubt', async (t) => {
  const running = await start(t, { wrap: (store) => losing(store, 2) });
  await fill(t, running, fleet(50));
  const { filter } = await createFilter(running, 'hot', HOT);
  t.equal(
    (await untilActive(running, filter.id)).matchedEndpointsCount,
    (await freshMembers(running, HOT)).length,
  );
  const next = await running.restart({ wrap: (store) => losing(store, 1) });
  t.equal(codeOf(await next.register.filters.remove(CONTEXT, 'app', filter.id)), 'storage-unavailable');
  await until(async () => (await next.store.loadFilters()).length === 0);
  t.equal(codeOf(await next.register.filters.get(CONTEXT, 'app', filter.id)), 'filter-not-found');
  t.same(await next.store.memberships(['e30']), [[]]);
});

void t.test(
  'numbers follow the order in which filters become known, whatever the storage answers first',
  async (t) => {
    let calls = 0;
    const running = await start(t, {
      wrap: (store) => ({
        ...store,
        // the first is written first, and is answered late
        commitFilters: async (writes) => {
          const first = calls++ === 0;
          const results = await store.commitFilters(writes);
          if (first) await new Promise((resolve) => setTimeout(resolve, 200));
          return results;
        },
      }),
    });
    await fill(t, running, fleet(100));
    const slow = createFilter(running, 'slow', HOT);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const fast = createFilter(running, 'fast', COLD);
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      writes.push(running.register.endpoints.submit(set(`e${i}`, 'temp', 39)));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(writes);
    for (const { filter } of [await slow, await fast]) {
      const active = await untilActive(running, filter.id);
      t.same(
        await membersOf(running, active.filter.number),
        await freshMembers(running, JSON.parse(filter.queryText) as never),
        filter.name,
      );
    }
  },
);

void t.test('numbers are given in their order, and not again by a process that follows', async (t) => {
  const running = await start(t);
  const numbers: number[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    numbers.push((await createFilter(running, name, HOT)).filter.number);
  t.same(numbers, [1, 2, 3, 4, 5]);
  const many = Array.from({ length: 40 }, (_, i) => createFilter(running, `many ${i}`, HOT));
  for (const { filter } of await Promise.all(many)) numbers.push(filter.number);
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  t.equal(new Set(numbers).size, 45);
  await fill(t, running, { e: { temp: 99 } });
  const next = await running.restart();
  const { filter } = await createFilter(next, 'later', HOT);
  t.ok(filter.number > numbers.at(-1)!, `${filter.number} after ${numbers.at(-1)}`);
  const active = await untilActive(next, filter.id);
  t.equal(active.matchedEndpointsCount, 1, 'an endpoint that was written before is evaluated against it');
});

void t.test('an endpoint shows the active filters that it matches', async (t) => {
  const running = await start(t);
  await fill(t, running, { e: { temp: 30 }, none: {} });
  const { filter } = await createFilter(running, 'hot', HOT);
  await untilActive(running, filter.id);
  const records = (await running.store.load(['e', 'none'])) as Uint8Array[];
  t.same(valueOf(await running.register.endpoints.filterIds(records)), [[filter.id], []]);
  await running.register.endpoints.submit(command('e', { type: 'delete-key', key: 'temp' }));
  t.same(valueOf(await running.register.endpoints.filterIds(records)), [[], []]);
});
