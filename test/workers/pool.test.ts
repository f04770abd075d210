import t from 'tap';
import type { Test } from 'tap';
import type { Worker } from 'node:worker_threads';
import { metadataOf } from '../../src/model/record.js';
import { createWorkerPool } from '../../src/workers/index.js';
import { command, eventsOf, outcomesOf, put, register, setKey, source, WORKER_SETTINGS } from './support.js';

const hot = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } };

function poolOf(t: Test, threads: number) {
  const pool = createWorkerPool(threads, { inPlace: false });
  t.teardown(() => pool.close());
  return pool;
}

const group = (metadata: Record<string, number>) => ({ commands: [register(metadata)] });

/** The worker threads that are made while `work` runs: the pool keeps its own to itself. */
async function threadsMadeBy<T>(work: () => Promise<T>): Promise<{ result: T; threads: Worker[] }> {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker) => threads.push(worker);
  process.on('worker', onWorker);
  try {
    return { result: await work(), threads };
  } finally {
    process.off('worker', onWorker);
  }
}

void t.test('a batch comes back in its order, with records and events', async (t) => {
  const pool = poolOf(t, 1);
  const groups = Array.from({ length: 300 }, (_, i) => group({ temp: i }));
  const filters = source();
  filters.change(put(1, hot));
  const evaluated = await pool.evaluate(groups, filters, WORKER_SETTINGS);
  t.same(
    evaluated.map(({ write }) => metadataOf(write!.record)['temp']),
    groups.map((_, i) => i),
  );
  t.equal(evaluated.filter(({ write }) => write!.matched.includes(1)).length, 279);
  t.same(eventsOf(evaluated[21]!), ['registered 1', 'ep-matched 1 f1']);
  const refused = await pool.evaluate(
    [{ commands: [setKey('a', 1), command({ type: 'json-patch', patchText: '{}' })] }],
    filters,
    WORKER_SETTINGS,
  );
  t.same(outcomesOf(refused[0]!), ['endpoint-not-found', 'endpoint-not-found']);
  const record = evaluated[0]!.write!.record;
  const [bad] = await pool.evaluate(
    [{ record, commands: [command({ type: 'json-patch', patchText: '[{}]' })] }],
    filters,
    WORKER_SETTINGS,
  );
  t.match(
    bad!.outcomes,
    [{ kind: 'refused', code: 'invalid-patch', details: [{ path: '/0' }] }],
    'details come through',
  );
});

void t.test(
  'threads learn of filters when they need to, and compute with the state that is asked for',
  async (t) => {
    const pool = poolOf(t, 2);
    const filters = source();
    for (let number = 1; number <= 20; number++) {
      filters.change(put(number, number % 2 === 1 ? hot : { endpoint_id: 'e1' }));
      // as much as makes the sets move now and then
      for (let i = 0; i < 200; i++)
        filters.change(put(1000 + number * 200 + i, { endpoint_id: `e${number}-${i}` }));
      const batches = await Promise.all(
        Array.from({ length: 6 }, () => pool.evaluate([group({ temp: 30 })], filters, WORKER_SETTINGS)),
      );
      for (const [evaluated] of batches)
        t.same(
          evaluated!.write!.matched,
          Array.from({ length: number }, (_, i) => i + 1),
          `with ${number} filters`,
        );
    }
    t.ok(filters.asked.length <= 60, 'a thread is told when the sets have moved, not of each change');
    const asked = filters.asked.length;
    await Promise.all(Array.from({ length: 20 }, () => pool.evaluate([group({})], filters, WORKER_SETTINGS)));
    t.ok(filters.asked.length - asked <= 2, 'at most once a thread');
  },
);

void t.test('a batch that makes a worker throw is refused, and the next one works', async (t) => {
  const pool = poolOf(t, 1);
  const filters = source();
  const poison = { record: Buffer.from([9, 9, 9, 9]), commands: [setKey('a', 1)] };
  await t.rejects(pool.evaluate([group({}), poison], filters, WORKER_SETTINGS));
  t.same(outcomesOf((await pool.evaluate([group({})], filters, WORKER_SETTINGS))[0]!), ['applied']);
});

void t.test(
  'a thread that is killed with a batch: the batch rejects, the next one works and knows the filters',
  async (t) => {
    const filters = source();
    filters.change(put(1, hot));
    const { result: pool, threads } = await threadsMadeBy(async () => {
      const made = poolOf(t, 1);
      await made.evaluate([group({})], filters, WORKER_SETTINGS);
      return made;
    });
    t.equal(threads.length, 1);
    // long enough to be under way when the thread is killed
    const large = Array.from({ length: 2000 }, () => group({ temp: 30 }));
    const underWay = pool.evaluate(large, filters, WORKER_SETTINGS);
    const waiting = pool.evaluate([group({ temp: 30 })], filters, WORKER_SETTINGS);
    void threads[0]!.terminate();
    await t.rejects(underWay, /exited/);
    t.same((await waiting)[0]!.write!.matched, [1], 'what waited is computed by the thread that follows');
    t.same((await pool.evaluate([group({ temp: 30 })], filters, WORKER_SETTINGS))[0]!.write!.matched, [1]);
  },
);

void t.test('an idle thread that dies is replaced', async (t) => {
  const filters = source();
  const { result: pool, threads } = await threadsMadeBy(async () => {
    const made = poolOf(t, 2);
    await made.evaluate([group({})], filters, WORKER_SETTINGS);
    return made;
  });
  for (const thread of threads) await thread.terminate();
  const all = await Promise.allSettled(
    Array.from({ length: 8 }, () => pool.evaluate([group({})], filters, WORKER_SETTINGS)),
  );
  t.same(
    all.map(({ status }) => status),
    Array.from({ length: 8 }, () => 'fulfilled'),
  );
});

void t.test('an idle thread that fails does not end the process', async (t) => {
  const filters = source();
  const { result: pool, threads } = await threadsMadeBy(async () => {
    const made = poolOf(t, 1);
    await made.evaluate([group({})], filters, WORKER_SETTINGS);
    return made;
  });
  // as Node does when a thread runs out of memory
  threads[0]!.emit('error', Object.assign(new Error('out of memory'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }));
  t.same(outcomesOf((await pool.evaluate([group({})], filters, WORKER_SETTINGS))[0]!), ['applied']);
});
