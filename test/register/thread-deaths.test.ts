import t from 'tap';
import {
  createFilter,
  fill,
  fleet,
  freshMembers,
  HOT,
  membersOf,
  outboxOf,
  set,
  start,
  untilActive,
} from './support.js';

const thread = { file: new URL('../workers/dying-worker.js', import.meta.url) };

void t.test(
  'a thread dies of one endpoint: that one is refused, the others of its batch are done',
  async (t) => {
    const running = await start(t, { thread, threads: 1 });
    await fill(t, running, fleet(200));
    const value = (i: number) => (i === 50 ? 'die-of-exit!' : `value ${i}`);
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        running.register.endpoints.submit(set(`e${i}`, 'text', value(i))),
      ),
    );
    t.match(outcomes[50], { kind: 'retry', code: 'internal', failsAlone: true });
    t.equal(outcomes.filter(({ kind }) => kind === 'applied').length, 199);
    const events = running.events.flatMap(({ source, events }) =>
      events.flatMap(({ kind }) => (kind === 'metadata-updated' ? [source] : [])),
    );
    t.equal(new Set(events).size, 199);
    t.equal(events.length, 199, 'each once');
    t.notOk(events.includes('e50'));
    const metrics = await running.metrics.metrics();
    t.match(metrics, /^epr_worker_deaths_total 2$/m);
    t.match(metrics, /^epr_worker_failures_total 2$/m);
    t.equal((await running.register.endpoints.submit(set('e50', 'text', 'harmless'))).kind, 'applied');
  },
);

void t.test('no thread comes up: that is not said to be the fault of what was given', async (t) => {
  const thread = { file: new URL('../workers/dead-on-arrival.js', import.meta.url) };
  const running = await start(t, { thread, threads: 1, resume: false });
  for (let i = 0; i < 5; i++) {
    const outcome = await running.register.endpoints.submit(set('e', 'text', 'value'));
    t.match(outcome, { kind: 'retry', code: 'internal' });
    t.notOk('failsAlone' in outcome);
  }
});

void t.test('a thread dies of what several are together: each is done', async (t) => {
  const running = await start(t, { thread, threads: 1 });
  await fill(t, running, fleet(200));
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      running.register.endpoints.submit(set(`e${i}`, 'text', 'die-of-exit-in-company!')),
    ),
  );
  t.same(new Set(outcomes.map(({ kind }) => kind)), new Set(['applied']));
  t.match(await running.metrics.metrics(), /^epr_worker_deaths_total [1-9]/m);
});

void t.test(
  'threads die of screening, one after the other: the filter becomes active all the same',
  async (t) => {
    const running = await start(t, { thread, threads: 2 });
    await fill(t, running, fleet(2000));
    for (const i of [100, 101, 900, 1500])
      t.equal(
        (await running.register.endpoints.submit(set(`e${i}`, 'text', 'die-of-exit-in-screen!'))).kind,
        'applied',
      );
    const { id, number } = (await createFilter(running, 'hot', HOT)).filter;
    await untilActive(running, id);
    const fresh = await freshMembers(running, HOT);
    t.ok(fresh.length > 100);
    t.same(await membersOf(running, number), fresh);
    t.match(await running.metrics.metrics(), /^epr_worker_deaths_total [2-9]/m);
    t.notOk((await outboxOf(running)).some(({ events }) => events.some(({ kind }) => kind === 'ep-matched')));
  },
);
