import t from 'tap';
import { register } from '../storage/contract/building.js';
import { startMongo } from '../servers/index.js';
import { createFilter, fill, HOT, membersOf, outboxOf, start, until, untilActive } from './support.js';

void t.test('what was written without knowing an active filter is evaluated, by itself', async (t) => {
  const mongo = await startMongo(t);
  if (mongo === undefined) return;
  const running = await start(t, { storageUrl: mongo.freshUrl() });
  await fill(t, running, { hot: { temp: 30 }, cold: { temp: 10 } });
  const { id, number } = (await createFilter(running, 'hot', HOT)).filter;
  await untilActive(running, id);
  t.same(await membersOf(running, number), ['hot']);
  // as a process does that was stopped in the middle of a write, and goes on when others take it for dead
  const late = (name: string, temp: number) =>
    register({ id: name, tenant: 't', version: 'v1', metadata: { temp } });
  t.match(await running.store.commit([late('late-hot', 40), late('late-cold', 4)]), [
    { kind: 'written' },
    { kind: 'written' },
  ]);
  t.same(await membersOf(running, number), ['hot'], 'nobody knows of them yet');
  // what is counted and what is listed are two questions, and between them it is evaluated
  await until(async () => (await membersOf(running, number).catch(() => [])).length === 2);
  t.same((await membersOf(running, number)).sort(), ['hot', 'late-hot']);
  const events = (await outboxOf(running)).filter(({ source }) => source.startsWith('late'));
  t.match(events, [{ source: 'late-hot', events: [{ kind: 'ep-matched', filterId: id }] }]);
  const { replication } = running.store;
  await until(async () => (await replication!.findOutdated('app', 1, 10)).length === 0);
});
