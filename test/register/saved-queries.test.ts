import pino from 'pino';
import t from 'tap';
import {
  codeOf,
  COLD,
  CONTEXT,
  createFilter,
  fill,
  filterEvents,
  fleet,
  freshMembers,
  HOT,
  membersOf,
  outboxOf,
  type Running,
  set,
  start,
  until,
  untilActive,
  valueOf,
} from './support.js';

/** Changes the stored query, as a hand or a newer version would. */
async function store({ store }: Running, id: string, queryText: string): Promise<void> {
  const filter = (await store.loadFilters()).find((each) => each.id === id)!;
  const results = await store.commitFilters([
    { filter: { ...filter, queryText }, expectedRevision: filter.revision },
  ]);
  if (results[0]?.kind !== 'written') throw new Error(results[0]?.kind);
}

const viewOf = async ({ register }: Running, id: string) =>
  valueOf(await register.filters.get(CONTEXT, 'app', id));

void t.test('a filter that can not be read is set aside, and counts again when it can', async (t) => {
  const first = await start(t);
  await fill(t, first, fleet(200));
  const hot = (await createFilter(first, 'hot', HOT)).filter;
  const odd = (await createFilter(first, 'odd', COLD)).filter;
  for (const { id } of [hot, odd]) await untilActive(first, id);
  await store(first, odd.id, '{"metadata":{"$near":1}}');

  const logged: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void logged.push(line) });
  const without = await first.restart({ log });
  t.equal(logged.length, 1);
  t.match(JSON.parse(logged[0]!), { filterId: odd.id, filter: 'odd', application: 'app', reason: /\$near/ });
  t.match(await viewOf(without, odd.id), {
    filter: { status: 'pending', number: 0, revision: 3 },
    matchedEndpointsCount: 0,
    fault: /\$near/,
  });
  t.match(filterEvents(await outboxOf(without), odd.id).at(-1), 'filter-pending 3');
  t.equal(valueOf(await without.register.filters.list(CONTEXT, 'app', { offset: 0, limit: 10 })).total, 2);
  // what is written now, and a filter that comes now, leave no record below its old number
  t.match(await without.register.endpoints.submit(set('e0', 'temp', 39)), { kind: 'applied' });
  t.match(await without.register.endpoints.submit(set('e39', 'temp', 0)), { kind: 'applied' });
  const late = (await createFilter(without, 'late', HOT)).filter;
  await untilActive(without, late.id);
  for (const number of [hot.number, late.number])
    t.same(await membersOf(without, number), await freshMembers(without, HOT));
  t.equal((await viewOf(without, odd.id)).filter.status, 'pending', 'it is not recalculated');
  await until(async () => (await membersOf(without, odd.number)).length === 0);
  const renamed = await without.register.filters.change(CONTEXT, 'app', odd.id, { name: 'strange' });
  t.match(valueOf(renamed), { filter: { name: 'strange', status: 'pending' } });
  t.match(await without.register.endpoints.submit(set('e1', 'temp', 38)), { kind: 'applied' });

  const still = await without.restart({ log });
  t.equal(logged.length, 2, 'told at each start');
  t.equal((await viewOf(still, odd.id)).filter.revision, 4, 'and nothing is written again');
  await store(still, odd.id, JSON.stringify(COLD));

  const again = await still.restart({ log });
  const { filter, fault } = await untilActive(again, odd.id);
  t.equal(fault, undefined);
  t.ok(filter.number > late.number);
  t.same(await membersOf(again, filter.number), await freshMembers(again, COLD));
  t.equal(logged.length, 2);
});

void t.test('what can be done with a filter that can not be read', async (t) => {
  const first = await start(t);
  await fill(t, first, fleet(50));
  const [mended, gone] = [
    (await createFilter(first, 'mended', HOT)).filter,
    (await createFilter(first, 'gone', HOT)).filter,
  ];
  for (const { id } of [mended, gone]) {
    await untilActive(first, id);
    await store(first, id, 'no JSON');
  }
  const running = await first.restart();
  const { filters, endpoints } = running.register;
  const listed = await endpoints.list(CONTEXT, {
    filterId: gone.id,
    regex: false,
    sort: { by: 'endpointId', direction: 'asc' },
    offset: 0,
    limit: 1,
  });
  t.equal(codeOf(listed), 'filter-pending');
  t.match((await viewOf(running, gone.id)).fault, /no JSON text/);
  valueOf(await filters.change(CONTEXT, 'app', mended.id, { mongoQuery: COLD }));
  const { filter } = await untilActive(running, mended.id);
  t.same(await membersOf(running, filter.number), await freshMembers(running, COLD));
  valueOf(await filters.remove(CONTEXT, 'app', gone.id));
  await until(async () => (await running.store.loadFilters()).length === 1);
});
