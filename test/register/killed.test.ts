import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import {
  filterEvents,
  freshMembers,
  HOT,
  membersOf,
  outboxOf,
  set,
  startIn,
  untilActive,
} from './support.js';

const CHILD = fileURLToPath(new URL('./killed-child.js', import.meta.url));
const ENDPOINTS = 4000;

void t.test('a process that is killed in the middle of a recalculation', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'epr-killed-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const child = fork(CHILD, [folder, String(ENDPOINTS), '6']);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  t.same(await exited, [null, 'SIGKILL']);

  const held = await startIn(t, folder, { resume: false });
  const { id, number, status } = (await held.store.loadFilters())[0]!;
  t.equal(status, 'pending');
  const before = await membersOf(held, number);
  t.ok(before.length > 0 && before.length < ENDPOINTS / 2, `${before.length} members were found`);
  const next = await held.restart();
  // both sides of where it was
  await next.register.endpoints.submit(set('e39', 'temp', 1));
  await next.register.endpoints.submit(set('e3999', 'temp', 1));
  await untilActive(next, id);
  const fresh = await freshMembers(next, HOT);
  t.equal(fresh.length, ENDPOINTS / 2 - 2);
  t.same(await membersOf(next, number), fresh);

  await next.register.endpoints.submit(set('e0', 'temp', 39));
  await next.register.endpoints.submit(set('e20', 'temp', 0));
  const outbox = await outboxOf(next);
  t.same(filterEvents(outbox, id), ['filter-pending 1', 'filter-activated 2'], 'told once each');
  const flips = outbox.flatMap(({ source, events }) =>
    events
      .filter(({ kind, filterId }) => kind.startsWith('ep-') && filterId === id)
      .map(({ kind }) => `${source} ${kind}`),
  );
  t.same(flips, ['e0 ep-matched', 'e20 ep-unmatched'], 'each change since, and none of those before');
  t.same(await membersOf(next, number), await freshMembers(next, HOT));
});
