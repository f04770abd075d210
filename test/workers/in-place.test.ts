import { deepStrictEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Command } from '../../src/model/command.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { createWorkerPool } from '../../src/workers/index.js';
import type { EvaluateGroup } from '../../src/workers/messages.js';
import {
  command,
  evaluate,
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

void t.test('a small batch is computed in place, a larger one by a thread', async (t) => {
  const pool = createWorkerPool(1);
  t.teardown(() => pool.close());
  const filters = source();
  filters.changes.push(put(1, hot));
  const matched = async (count: number) =>
    (await pool.evaluate(many(count), filters, settings)).map(({ write }) => write!.matched);
  t.same(await matched(1), [[1]]);
  t.same(filters.asked, [-1], 'whoever computes asks once');
  t.same(await matched(64), Array(64).fill([1]));
  t.same(filters.asked, [-1], 'the same again');
  t.same(await matched(65), Array(65).fill([1]));
  t.same(filters.asked, [-1, -1], 'somebody else');
  const wide = [{ commands: [register({ temp: 30 }), setKey('text', 'x'.repeat(70_000))] }];
  t.same(outcomesOf((await pool.evaluate(wide, filters, settings))[0]!), ['applied', 'endpoint-too-large']);
  filters.changes.push(put(2, hot));
  t.same(await matched(1), [[1, 2]]);
  t.same(filters.asked, [-1, -1, 1], 'in place, and told what came since');
  const long = { ...hot, $comment: undefined, endpoint_id: { $nin: ['x'.repeat(150_000)] } };
  filters.changes.push(put(3, JSON.parse(JSON.stringify(long)) as JsonObject));
  t.same(await matched(1), [[1, 2, 3]]);
  t.same(filters.asked, [-1, -1, 1, 1], 'what weighs much goes to the thread');
});

void t.test('what the conditions may look at bounds what is computed in place', async (t) => {
  const conditions = Array.from({ length: 200 }, (_, i) => ({ 'metadata.value': { $gt: i } }));
  const pattern = (text: string, more: JsonObject = {}): JsonObject => ({
    endpoint_id: { $regex: text, ...more },
  });
  const roomy = { settings: settingsOf({ limits: settings.limits }) };
  const record = (bytes: number) => evaluate([register({ text: 'x'.repeat(bytes) })], roomy).write!.record;
  const isInPlace = async (query: JsonObject, bytes: number, commands: number) => {
    const pool = createWorkerPool(1);
    const filters = source();
    filters.changes.push(put(1, query));
    // who computed this asks again for what comes now; the thread that has not, asks for all
    await pool.evaluate([{ commands: [register()] }], filters, settings);
    await pool.evaluate(many(65), filters, settings);
    const asked = filters.asked.length;
    filters.changes.push(put(2, hot));
    const given = Array.from({ length: commands }, () => ({
      record: record(bytes),
      commands: [setKey('n', 1)],
    }));
    await pool.evaluate(given, filters, settings);
    await pool.evaluate(many(65), filters, settings);
    await pool.close();
    return filters.asked.length - asked === 2;
  };
  t.ok(await isInPlace(hot, 200, 60));
  t.notOk(await isInPlace(hot, 2_000, 60), 'many bytes');
  t.ok(await isInPlace({ $or: conditions }, 200, 20));
  t.notOk(await isInPlace({ $or: conditions }, 2_000, 20), 'many conditions on many bytes');
  t.ok(await isInPlace(pattern('^e1'), 200, 20));
  t.ok(await isInPlace(pattern('e1', { $options: 'i' }), 200, 20));
  t.notOk(await isInPlace(pattern('[a-m][^z]{20,50}[0-9]'), 200, 1), 'any expression that repeats');
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
  filters.changes.push(put(1, hot), put(2, { 'metadata.key': 'a' }));
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
