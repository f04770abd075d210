import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createWorkerPool, type WorkerPoolOptions } from '../../src/workers/index.js';
import { command, outcomesOf, register, source, WORKER_SETTINGS } from './support.js';

const fileOf = (name: string) => new URL(`./${name}.js`, import.meta.url);
const SETTINGS = { ...WORKER_SETTINGS, limits: { ...WORKER_SETTINGS.limits, endpointBytes: 10_000 } };

function poolOf(t: Test, threads: number, options: WorkerPoolOptions) {
  const pool = createWorkerPool(threads, options);
  t.teardown(() => pool.close());
  return pool;
}

const group = (text: string, endpointId = 'e1') => ({ commands: [{ ...register({ text }), endpointId }] });
const large = (text: string) => [
  group(text),
  ...Array.from({ length: 200 }, (_, i) => group('', `e${i + 2}`)),
];

for (const [way, reason] of [
  ['exit', /exited with code: 7/],
  ['throw', /thrown in a thread/],
  ['memory', /memory/],
] as const) {
  void t.test(`a thread that dies: ${way}`, async (t) => {
    const thread = { file: fileOf('dying-worker'), resourceLimits: { maxOldGenerationSizeMb: 192 } };
    const pool = poolOf(t, 1, { thread });
    const filters = source();
    await t.rejects(pool.evaluate(large(`die-of-${way}!`), filters, SETTINGS), reason);
    t.match(pool.status(), { deaths: 1, down: undefined });
    await t.rejects(
      pool.evaluate([group(`die-of-${way}!`)], filters, SETTINGS),
      reason,
      'what may have killed it is not computed in the calling thread, small as it is',
    );
    t.same(
      outcomesOf((await pool.evaluate([group('')], filters, SETTINGS))[0]!),
      ['applied'],
      'the next one works',
    );
    t.match(pool.status(), { deaths: 2, down: undefined });
  });
}

void t.test(
  'a thread that throws in a call goes on, and small batches stay in the calling thread',
  async (t) => {
    const pool = poolOf(t, 1, { thread: { file: fileOf('dying-worker') } });
    const filters = source();
    const poison = {
      record: Buffer.from([9, 9, 9, 9]),
      commands: [command({ type: 'delete-key', key: 'a' })],
    };
    await t.rejects(pool.evaluate([...large(''), poison], filters, SETTINGS));
    t.equal(pool.status().deaths, 0);
    t.same(outcomesOf((await pool.evaluate([group('die-of-exit!')], filters, SETTINGS))[0]!), ['applied']);
  },
);

void t.test(
  'threads that die while they start: refused at once, tried again after longer and longer pauses',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'epr-threads-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const flag = join(folder, 'may-live');
    process.env['EPR_TEST_THREADS_MAY_LIVE'] = flag;
    const starts: number[] = [];
    const onWorker = () => void starts.push(performance.now());
    process.on('worker', onWorker);
    t.teardown(() => process.off('worker', onWorker));
    const pool = poolOf(t, 1, { thread: { file: fileOf('dead-on-arrival') } });
    const filters = source();
    const waiting = await Promise.allSettled(
      Array.from({ length: 4 }, () => pool.evaluate(large(''), filters, SETTINGS)),
    );
    t.same(
      waiting.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected', 'rejected'],
      'nothing waits for ever',
    );
    while (starts.length < 9) await new Promise((resolve) => setTimeout(resolve, 20));
    t.match(pool.status().down, /No worker thread is alive/);
    t.ok(starts.at(-1)! - starts[0]! > 700, 'it does not spin');
    await t.rejects(pool.evaluate(large(''), filters, SETTINGS), /No worker thread is alive|exited/);
    writeFileSync(flag, '');
    while (pool.status().down !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    t.pass('they are seen to be alive without any work');
    t.same(outcomesOf((await pool.evaluate(large(''), filters, SETTINGS))[0]!), ['applied']);
  },
);
