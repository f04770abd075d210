import { deepStrictEqual, equal } from 'node:assert/strict';
import fc from '../fast-check.js';
import t from 'tap';
import type { Test } from 'tap';
import type { Command } from '../../src/model/command.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { createWorkerPool } from '../../src/workers/index.js';
import type { EvaluateGroup } from '../../src/workers/messages.js';
import {
  command,
  evaluate as setUp,
  type FilterChange,
  outcomesOf,
  put,
  recordAfter,
  register,
  setKey,
  settingsOf,
  source,
  WORKER_SETTINGS,
} from './support.js';

const hot = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } };
const settings = { ...WORKER_SETTINGS, limits: { ...WORKER_SETTINGS.limits, endpointBytes: 10_000 } };

const many = (count: number): EvaluateGroup[] =>
  Array.from({ length: count }, () => ({ commands: [register({ temp: 30 })] }));

/** A pool of one thread, and how often a thread has been asked: it asks for the filters, as they have always moved. */
function watched(t: Test, ...changes: FilterChange[]) {
  const pool = createWorkerPool(1);
  t.teardown(() => pool.close());
  const filters = source(...changes);
  let threads = 0;
  let epoch = 0;
  const moving = {
    of: (application: string) => filters.of(application),
    get epoch() {
      return epoch;
    },
    updateSince: () => {
      threads++;
      return { ...filters.updateSince(-1), to: epoch };
    },
  };
  const evaluate = async (groups: readonly EvaluateGroup[]) => {
    const before = threads;
    epoch++;
    const evaluated = await pool.evaluate(groups, moving, settings);
    return { evaluated, inPlace: threads === before };
  };
  return { filters, evaluate };
}

void t.test('a small batch is computed in place, a larger one by a thread', async (t) => {
  const { evaluate, filters } = watched(t, put(1, hot));
  for (const [count, inPlace] of [
    [1, true],
    [64, true],
    [65, false],
  ] as const) {
    const { evaluated, ...how } = await evaluate(many(count));
    t.same(how, { inPlace }, `${count} commands`);
    t.same(
      evaluated.map(({ write }) => write!.matched),
      Array(count).fill([1]),
    );
  }
  const wide = [{ commands: [register({ temp: 30 }), setKey('text', 'x'.repeat(70_000))] }];
  const large = await evaluate(wide);
  t.same(outcomesOf(large.evaluated[0]!), ['applied', 'endpoint-too-large']);
  t.notOk(large.inPlace, 'many bytes');
  filters.change(put(2, hot));
  const next = await evaluate(many(1));
  t.same(next.evaluated[0]!.write!.matched, [1, 2]);
  t.ok(next.inPlace);
});

void t.test('matching that would take long is given up in place, and done by a thread', async (t) => {
  const roomy = { settings: settingsOf({ limits: settings.limits }) };
  const record = (bytes: number) =>
    setUp([register({ text: 'x'.repeat(bytes), name: 'n' })], roomy).write!.record;
  const isInPlace = async (bytes: number, ...queries: JsonObject[]) => {
    const { evaluate } = watched(t, ...queries.map((query, i) => put(i + 1, query)));
    const group = {
      record: record(bytes),
      commands: [setKey('name', 'other'), setKey('text', 'y'.repeat(bytes))],
    };
    return (await evaluate([group])).inPlace;
  };
  const text = (pattern: string): JsonObject => ({
    metadata: { $elemMatch: { key: 'text', value: { $regex: pattern } } },
  });
  const conditions = Array.from({ length: 600 }, (_, i) => ({ 'metadata.value': { $gt: i } }));
  t.ok(await isInPlace(8_000, hot), 'conditions on other keys');
  t.ok(
    await isInPlace(8_000, ...Array.from({ length: 600 }, (_, i) => text(`^needle${i}.*x`))),
    'patterns that need a text which is not there',
  );
  t.ok(await isInPlace(100, { $nor: conditions }), 'many conditions on few bytes');
  t.notOk(await isInPlace(8_000, { $nor: conditions }), 'many conditions on many bytes');
  t.ok(await isInPlace(100, text('[a-m][^z]{20,50}[0-9]')), 'an expression that repeats, on few bytes');
  t.notOk(
    await isInPlace(8_000, ...Array.from({ length: 50 }, (_, i) => text(`[a-m][^z]{20,5${i}}[0-9]`))),
    'many of them on many bytes',
  );
});

void t.test('a batch that fails in place rejects, and the next one works', async (t) => {
  const pool = createWorkerPool(1);
  t.teardown(() => pool.close());
  const filters = source();
  const poison = { record: Buffer.alloc(64, 8), commands: [setKey('a', 1)] };
  await t.rejects(pool.evaluate([...many(1), poison], filters, settings), /layout 8/);
  t.same(outcomesOf((await pool.evaluate(many(1), filters, settings))[0]!), ['applied']);
});

const key = fc.constantFrom('a', 'b', 'temp', 'a"b', 'n');
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.integer({ min: -3, max: 40 }),
  fc.constantFrom(null, true, 'x', '"temp":1', 1e21, -0, 0.1),
  fc.dictionary(key, fc.integer({ min: 0, max: 3 }), { maxKeys: 2 }),
);
const wish: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, value).map(([name, given]) => setKey(name, given)) },
  key.map((name) => command({ type: 'delete-key', key: name })),
  fc.constant(command({ type: 'unregister' })),
);

void t.test('both ways come to the same, and keep the text of the metadata in its own form', async (t) => {
  const here = createWorkerPool(1);
  const there = createWorkerPool(1, { inPlace: false });
  t.teardown(() => Promise.all([here.close(), there.close()]));
  const filters = source();
  filters.change(put(1, hot), put(2, { 'metadata.key': 'a' }));
  const open = { ...settings, limits: { ...settings.limits, metadataKeyPattern: '.', nesting: 5 } };
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(key, value),
      fc.array(wish, { minLength: 1, maxLength: 5 }),
      async (metadata, commands) => {
        const groups = [
          { record: recordAfter([register({ n: 1 })]), commands: [replaced(metadata), ...commands] },
        ];
        const [mine] = await here.evaluate(groups, filters, open);
        const [theirs] = await there.evaluate(groups, filters, open);
        const plain = (group: typeof mine) => ({
          ...group,
          write: {
            ...group!.write,
            record: bytes(group!.write?.record),
            events: bytes(group!.write?.events),
          },
        });
        deepStrictEqual(plain(mine), plain(theirs));
        const record = mine!.write?.record;
        if (record === undefined) return;
        const text = Buffer.from(record)
          .toString()
          .replace(/^[^]*?\}\{/, '{');
        equal(text, JSON.stringify(JSON.parse(text)));
      },
    ),
    { numRuns: 300 },
  );
});

function replaced(metadata: JsonObject): Command {
  return command({ type: 'replace-metadata', metadataText: JSON.stringify(metadata) });
}

function bytes(view: Uint8Array | undefined): string | undefined {
  return view && Buffer.from(view).toString('hex');
}
