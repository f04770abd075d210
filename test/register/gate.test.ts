import t from 'tap';
import { takeBatch, type Pending } from '../../src/register/batch.js';
import { createFilterIndex } from '../../src/register/filter-index.js';
import { createGate } from '../../src/register/gate.js';
import type { SavedFilter } from '../../src/model/filter.js';
import type { Wish } from '../../src/model/command.js';
import { V1 } from '../workers/support.js';

const turn = () => new Promise(setImmediate);

void t.test('who is alone is alone, one after the other', async (t) => {
  const gate = createGate();
  let inside = 0;
  let alone = 0;
  const visit = async () => {
    await gate.enter();
    inside++;
    t.equal(alone, 0);
    await turn();
    t.equal(alone, 0);
    inside--;
    gate.leave();
  };
  const task = async () => {
    t.same([inside, alone++], [0, 0]);
    await turn();
    t.same([inside, alone--], [0, 1]);
    return 'done';
  };
  const all: Promise<unknown>[] = [];
  for (let i = 0; i < 30; i++) {
    all.push(visit(), visit());
    if (i % 3 === 0) all.push(gate.exclusively(task));
    if (i % 4 === 0) await turn();
  }
  await Promise.all(all);
  t.equal(await gate.exclusively(task), 'done');
});

void t.test('a task that fails is told to its caller, and lets the next go on', async (t) => {
  const gate = createGate();
  await t.rejects(
    gate.exclusively(() => Promise.reject(new Error('bad'))),
    /bad/,
  );
  await gate.enter();
  gate.leave();
  t.equal(await gate.exclusively(async () => 1), 1);
});

void t.test('tasks without end hold nobody back', async (t) => {
  const gate = createGate();
  let going = true;
  let tasks = 0;
  const next = (): Promise<unknown> =>
    gate.exclusively(async () => {
      tasks++;
      if (going && tasks < 1000) void next();
      await turn();
    });
  void next();
  for (let visits = 0; visits < 5; visits++) {
    await gate.enter();
    gate.leave();
  }
  going = false;
  t.ok(tasks < 20, `${tasks} tasks went before five visits`);
});

void t.test('batches: lives of an endpoint apart, the order kept, text bounded', async (t) => {
  const pending = (endpointId: string, wish: Wish): Pending => ({
    command: { endpointId, correlationId: '', timestampMs: 0, ...wish },
    resolve: () => undefined,
    conflicts: 0,
  });
  const registration: Wish = { type: 'register', version: V1, metadataText: '{}', tokenHash: '' };
  const set = (n: number): Wish => ({ type: 'set-key', key: 'n', valueText: String(n) });
  const queue = [
    pending('a', registration),
    pending('b', set(1)),
    pending('a', set(2)),
    pending('a', { type: 'unregister' }),
    pending('b', set(3)),
    pending('a', set(4)),
    pending('a', registration),
    pending('b', registration),
    pending('b', set(5)),
  ];
  const shown = () =>
    takeBatch(queue, 100).map(
      (group) => `${group.endpointId}: ${group.pending.map(({ command }) => command.type).join(' ')}`,
    );
  t.same(shown(), ['a: register set-key', 'b: set-key set-key']);
  t.same(shown(), ['a: unregister set-key', 'b: register set-key']);
  t.same(shown(), ['a: register']);
  t.same(shown(), []);
  const large = Array.from({ length: 10 }, () =>
    pending('x', { type: 'replace-metadata', metadataText: 'x'.repeat(3_000_000) }),
  );
  t.same([takeBatch(large, 100)[0]!.pending.length, large.length], [2, 8]);
  const huge = [pending('x', { type: 'replace-metadata', metadataText: 'x'.repeat(9_000_000) })];
  t.equal(takeBatch(huge, 100).length, 1, 'one that is too large by itself goes alone');
});

const saved = (number: number, name: string, status: SavedFilter['status'] = 'active'): SavedFilter => ({
  id: `id-${name}`,
  tenant: 'kaa',
  application: 'app',
  name,
  description: '',
  queryText: '{"endpoint_id":"e"}',
  status,
  number,
  revision: 1,
  createdMs: 0,
  updatedMs: 0,
  retired: [],
});

void t.test('the index with very many filters', async (t) => {
  const index = createFilterIndex();
  const everything = { offset: 0, limit: Infinity };
  // in an order that is not that of their names
  for (let i = 0; i < 100_000; i++) {
    index.put(saved(i + 1, `f${(i * 7919) % 100_000}`, 'pending'));
    // a list while they come, as a console does
    if (i % 5000 === 0) index.page('app', { offset: i / 2, limit: 10 });
  }
  t.equal(index.pendingOf('app').length, 100_000);
  const names = index.page('app', everything).filters.map(({ name }) => name);
  t.same(names, [...names].sort());
  for (let i = 0; i < 100_000; i += 2) index.remove(`id-f${i}`);
  t.equal(index.page('app', everything).filters.length, 50_000);
  t.equal(index.countOf('app'), 50_000);
});
