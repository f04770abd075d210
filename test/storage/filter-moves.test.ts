import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createdOf, headOf, isTombstone } from '../../src/model/record.js';
import { MovesOfCommit } from '../../src/storage/embedded/filter-moves.js';
import { openEmbeddedStore, type EmbeddedOptions } from '../../src/storage/embedded/index.js';
import { listsIn } from '../../src/storage/embedded/lists.js';
import { type Mover, openMover, type MoverOptions } from '../../src/storage/embedded/mover.js';
import { openFolder, type OpenFolder } from '../../src/storage/embedded/open-folder.js';
import { listOf, numbersOf, type View } from '../../src/storage/embedded/tables.js';
import { createWriter } from '../../src/storage/embedded/writer.js';
import { idOf, register, unregister, written } from './contract/building.js';
import { filterContract } from './contract/filters-and-tasks.js';
import { listContract, queryOf } from './contract/lists.js';
import { membershipContract } from './contract/memberships.js';
import { randomContract } from './contract/random.js';
import fc from '../fast-check.js';
import { startChild } from './child.js';

t.setTimeout(300_000);

/** Nothing is moved: lists are what the log makes of their tables. */
const NEVER: MoverOptions = { enough: Infinity, most: Infinity, afterMs: 1e9 };
/** Always halfway. */
const SMALLEST: MoverOptions = { piece: 2, enough: 5, most: 20, afterMs: 1 };

function emptyFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'epr-moves-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function openAt(folder: string, moves: MoverOptions) {
  const options: EmbeddedOptions = { url: `file:${folder}`, durability: 'async', moves };
  return openEmbeddedStore(options);
}

/** Entries of the lists of filters as records and memberships have them, as the tables have them, and what the log has. */
function stateOf({ tables }: OpenFolder) {
  const expected: string[] = [];
  for (const { key, value } of tables.records.getRange({})) {
    const numbers = numbersOf(tables.memberships.getBinary(key));
    if (isTombstone(value) && numbers.length > 0) throw new Error(`${String(key)} is a member after its end`);
    for (const number of numbers) expected.push(`${number} ${createdOf(value)} ${String(key)}`);
  }
  const found: string[] = [];
  const counted = new Map<number, number>();
  for (const key of tables.lists.getKeys({ start: ['f'], end: ['f', '\uffff'] })) {
    const [, , number, negative, id] = key as [string, string, number, number, string];
    found.push(`${number} ${-negative} ${id}`);
    counted.set(number, (counted.get(number) ?? 0) + 1);
  }
  const counts = new Map<number, number>();
  for (const { key, value } of tables.counts.getRange({ start: ['f'], end: ['f', '\uffff'] }))
    counts.set((key as [string, string, number])[2], value.readDoubleLE(0));
  const log = [...tables.moves.getKeys({})].length;
  return {
    expected: expected.sort(),
    found: found.sort(),
    counted: sorted(counted),
    counts: sorted(counts),
    log,
  };
}

function sorted(map: Map<number, number>): [number, number][] {
  return [...map].sort(([a], [b]) => a - b);
}

/** Opens the data with its mover until the log is empty, and compares all. */
async function checkWhenMoved(t: Test, folder: string): Promise<void> {
  for (;;) {
    const store = await openAt(folder, { ...SMALLEST, piece: 7 });
    await sleep(50);
    await store.close();
    const opened = await openFolder(`file:${folder}`);
    const state = stateOf(opened);
    await opened.close();
    if (state.log > 0) continue;
    t.same(state.found, state.expected, 'lists are what memberships say');
    t.same(state.counts, state.counted, 'counts are what lists have');
    return;
  }
}

for (const [name, moves] of Object.entries({ 'that all wait': NEVER, 'in the smallest pieces': SMALLEST })) {
  void t.test(`the contract with moves ${name}`, async (t) => {
    const open = async (t: Test) => {
      const folder = emptyFolder(t);
      let store = await openAt(folder, moves);
      t.teardown(() => store.close());
      const reopen = async () => {
        await store.close();
        return (store = await openAt(folder, moves));
      };
      return { store, reopen };
    };
    void t.test('lists', async (t) => listContract(t, open));
    void t.test('memberships', async (t) => membershipContract(t, open));
    void t.test('filters', async (t) => filterContract(t, open));
    void t.test('any sequence of writes', async (t) => randomContract(t, open));
  });
}

void t.test('kill -9 in the midst of moves: lists and counts are what memberships say', async (t) => {
  const folder = emptyFolder(t);
  let halfway = 0;
  for (let round = 0; round < 4; round++) {
    const child = await startChild(t, folder, 'flip');
    t.equal(child.lines[0], 'open');
    await child.said(300 + round * 177);
    await child.kill();

    const opened = await openFolder(`file:${folder}`);
    const state = stateOf(opened);
    await opened.close();
    if (state.log > 0 && String(state.found) !== String(state.expected)) halfway++;
    const store = await openAt(folder, NEVER);
    for (let number = 1; number <= 12; number++) {
      const members = state.expected.filter((entry) => entry.startsWith(`${number} `));
      const scope = { application: 'app', filterNumber: number };
      const page = await store.find(queryOf({ scope, limit: 100, withTotal: true }));
      t.equal(page.total, members.length);
      const listed = page.records.map((r) => `${number} ${createdOf(r)} ${headOf(r).endpointId}`);
      t.same(listed.sort(), members);
      t.equal(await store.count(scope), members.length);
    }
    await store.close();
    if (round % 2 === 1) await checkWhenMoved(t, folder);
  }
  t.ok(halfway > 0, `${halfway} kills left work for the next start`);
});

void t.test('dropped memberships leave no entry and no count, whether they were moved or not', async (t) => {
  const folder = emptyFolder(t);
  let store = await openAt(folder, NEVER);
  const fleet = Array.from({ length: 2500 }, (_, i) =>
    register({ id: idOf(i), createdMs: 1000 + (i % 7) }, { matched: [1, 2] }),
  );
  await written(t, store, fleet.slice(0, 1500));
  await store.close();
  store = await openAt(folder, { piece: 500, enough: 1, afterMs: 1 });
  await sleep(100);
  await store.close();
  store = await openAt(folder, NEVER);
  await written(t, store, fleet.slice(1500));
  await written(t, store, [unregister({ id: idOf(0), revision: 2, createdMs: 1000 }, { unmatched: [1, 2] })]);
  const dropping = store.dropMemberships('app', 1);
  // one that is registered anew while it is dropped
  await written(t, store, [
    register(
      { id: idOf(0), revision: 3, createdMs: 5000 },
      { matched: [2], expected: { revision: 2, filterSet: 0 } },
    ),
  ]);
  await dropping;
  t.equal(await store.count({ application: 'app', filterNumber: 1 }), 0);
  t.equal(await store.count({ application: 'app', filterNumber: 2 }), 2500);
  t.same(await store.memberships([idOf(7), idOf(2400)]), [[2], [2]]);
  await store.close();
  await checkWhenMoved(t, folder);
});

/** The tables of a new folder, and what is done to them through a mover. Whoever opens it closes it. */
async function openTables(t: Test) {
  const opened = await openFolder(`file:${emptyFolder(t)}`);
  const { env, tables, fence } = opened;
  const writer = createWriter({ env, tables, fence, durability: 'async', folder: '' });
  return {
    tables,
    writer,
    look: (): View => (env.resetReadTxn(), env.useReadTransaction()),
    /** commits that endpoints enter (1) or leave (-1) the list of a filter */
    move: async (mover: Mover, by: 1 | -1, endpointIds: readonly string[], filterNumber = 1) => {
      const moves = new MovesOfCommit();
      const numbers = [filterNumber];
      for (const endpointId of endpointIds)
        moves.add('app', { createdMs: 5, endpointId }, by > 0 ? numbers : [], by > 0 ? [] : numbers);
      await writer.draft((changes) => mover.add(changes, moves));
      mover.added(moves.count);
    },
    listed: (mover: Mover, view: View, filterNumber = 1) => {
      const lists = listsIn(tables, view, mover.pendingIn(view));
      const list = listOf.filter('app', filterNumber);
      const ids = Array.from(lists.newestFirst(list), ({ endpointId }) => endpointId);
      const backwards = Array.from(lists.oldestFirst(list), ({ endpointId }) => endpointId);
      assert.deepEqual(backwards, ids);
      return { ids, count: lists.count(list) };
    },
    close: async () => {
      await writer.end();
      await opened.close();
    },
  };
}

interface Bench {
  tables: OpenFolder['tables'];
  mover: Mover;
  /** of filter 1 */
  move: (by: 1 | -1, ...endpointIds: string[]) => Promise<void>;
  look: () => View;
  listed: (view: View) => { ids: string[]; count: number };
}

async function openBench(t: Test, options: MoverOptions): Promise<Bench> {
  const { tables, writer, look, move, listed, close } = await openTables(t);
  const mover = openMover({ ...options, tables, writer, look });
  t.teardown(async () => {
    await mover.close();
    await close();
  });
  return {
    tables,
    mover,
    look,
    move: (by, ...endpointIds) => move(mover, by, endpointIds),
    listed: (view) => listed(mover, view),
  };
}

void t.test('a view sees its moment, however far the lists have come since', async (t) => {
  const { tables, mover, move, listed, look } = await openBench(t, {
    piece: 1,
    enough: Infinity,
    most: 1,
    afterMs: 1e9,
  });
  await move(1, 'a', 'b');
  const first = look();
  await move(-1, 'a');
  await move(1, 'c');
  const second = look();
  const half = mover.room();
  await move(1, 'a');
  await half;
  const third = look();
  await move(-1, 'b');
  await mover.room();
  t.equal([...tables.moves.getKeys({})].length, 0, 'all is moved');
  t.same(listed(first), { ids: ['a', 'b'], count: 2 });
  t.same(listed(second), { ids: ['b', 'c'], count: 2 });
  t.same(listed(third), { ids: ['a', 'b', 'c'], count: 3 });
  const last = look();
  t.same(listed(last), { ids: ['a', 'c'], count: 2 });
  for (const view of [first, second, third, last]) view.done();
});

void t.test('commits wait while too many moves do', async (t) => {
  const { tables, mover, move } = await openBench(t, { piece: 2, enough: Infinity, most: 6, afterMs: 1e9 });
  for (let i = 0; i < 40; i++) {
    if (mover.isFull) {
      t.equal([...tables.moves.getKeys({})].length, 6);
      await mover.room();
      t.equal(mover.isFull, false);
    }
    await move(1, idOf(i));
  }
});

void t.test(
  'moves that no disk takes are tried again, and commits that wait for them are told',
  async (t) => {
    const { tables, writer, look, move, close } = await openTables(t);
    let isBroken = false;
    let planned = 0;
    const failing = {
      ...writer,
      draft: <T>(plan: Parameters<typeof writer.draft<T>>[0]): Promise<T> =>
        isBroken && planned++ % 3 === 2 ? Promise.reject(new Error('no room')) : writer.draft(plan),
    };
    const mover = openMover({
      tables,
      writer: failing,
      look,
      piece: 1,
      enough: Infinity,
      most: 5,
      afterMs: 1e9,
    });
    const list = listOf.filter('app', 1);
    for (let i = 0; i < 6; i++) await move(mover, 1, [idOf(i)]);
    isBroken = true;
    for (;;) {
      const view = look();
      t.equal(listsIn(tables, view, mover.pendingIn(view)).count(list), 6);
      view.done();
      if (!mover.isFull) break;
      await mover.room().catch((error: unknown) => t.equal((error as Error).message, 'no room'));
    }
    t.ok(planned > 6);
    const state = {
      entries: tables.lists.getKeysCount({}),
      count: tables.counts.getBinary(list)?.readDoubleLE(0),
    };
    t.same(state, { entries: 6, count: 6 });
    await mover.close();
    await close();
  },
);

/** Movers over one folder, one after the other, whose writes come to nothing from one on, as if the process had ended there. */
async function openEnding(t: Test) {
  const { tables, writer, look, move, listed, close } = await openTables(t);
  let isLost: (what: 'piece' | 'removal') => boolean = () => false;
  const lost = (what: 'piece' | 'removal') => {
    if (isLost(what)) throw new Error('ended');
  };
  const ending: typeof writer = {
    ...writer,
    draft: (plan) =>
      writer.draft((changes) =>
        plan({
          get: (...of) => changes.get(...of),
          put(name, key, value) {
            if (name === 'meta') lost('piece');
            changes.put(name, key, value);
          },
          remove(name, key) {
            if (name === 'moves') lost('removal');
            changes.remove(name, key);
          },
        }),
      ),
  };
  return {
    tables,
    open: (most: number) =>
      openMover({ tables, writer: ending, look, piece: 1, enough: Infinity, most, afterMs: 1e9 }),
    endsAt: (lost: (what: 'piece' | 'removal') => boolean) => void (isLost = lost),
    listed: (mover: Mover, filterNumber?: number) => {
      const view = look();
      const found = listed(mover, view, filterNumber);
      view.done();
      return found;
    },
    move: (mover: Mover, by: 1 | -1, endpointId: string, filterNumber?: number) =>
      move(mover, by, [endpointId], filterNumber),
    close,
  };
}

void t.test(
  'who ends in the removal of a log, and again in the next moves, leaves what was moved alone',
  async (t) => {
    const { tables, open, endsAt, listed, move, close } = await openEnding(t);
    const first = open(2);
    await move(first, 1, 'a');
    await move(first, 1, 'b');
    endsAt((what) => what === 'removal');
    await t.rejects(first.room(), { message: 'ended' });
    await first.close();

    const second = open(2);
    t.same(listed(second), { ids: ['a', 'b'], count: 2 });
    await move(second, -1, 'a');
    await move(second, -1, 'b');
    let pieces = 0;
    endsAt((what) => what === 'piece' && ++pieces > 1);
    await t.rejects(second.room(), { message: 'ended' });
    await second.close();
    endsAt(() => false);

    const third = open(2);
    t.same(listed(third), { ids: [], count: 0 });
    await move(third, 1, 'c');
    while (third.isFull) await third.room();
    t.same(listed(third), { ids: ['c'], count: 1 });
    await move(third, 1, 'd');
    await third.room();
    t.equal([...tables.moves.getKeys({})].length, 0, 'all is moved');
    t.same(listed(third), { ids: ['c', 'd'], count: 2 });
    await third.close();
    await close();
  },
);

void t.test('whenever processes end, one after the other, lists are what was committed', async (t) => {
  const life = fc.record({
    /** an endpoint enters the list of a filter where it is not in it, and leaves it where it is */
    flips: fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(1, 2)), { maxLength: 9 }),
    most: fc.integer({ min: 1, max: 4 }),
    /** after so many writes of the mover */
    ends: fc.integer({ min: 0, max: 12 }),
  });
  const run = async (lives: (typeof life extends fc.Arbitrary<infer L> ? L : never)[]): Promise<void> => {
    const { open, endsAt, listed, move, close } = await openEnding(t);
    const members = new Map([1, 2].map((number) => [number, new Set<string>()]));
    for (const { flips, most, ends } of lives) {
      let writes = 0;
      endsAt(() => ++writes > ends);
      const mover = open(most);
      const check = () => {
        for (const [number, ids] of members)
          assert.deepEqual(listed(mover, number), { ids: [...ids].sort(), count: ids.size });
      };
      check();
      for (const [id, number] of flips) {
        const ids = members.get(number)!;
        const by = ids.delete(id) ? -1 : 1;
        if (by > 0) ids.add(id);
        await move(mover, by, id, number);
        const hasEnded =
          mover.isFull &&
          (await mover.room().then(
            () => false,
            () => true,
          ));
        check();
        if (hasEnded) break;
      }
      await mover.close();
    }
    await close();
  };
  await fc.assert(fc.asyncProperty(fc.array(life, { minLength: 2, maxLength: 8 }), run), { numRuns: 100 });
  t.pass();
});
