import t, { type Test } from 'tap';
import type { Issued, TokenIssuer } from '../../src/register/index.js';
import type { Store } from '../../src/storage/index.js';
import { startMongo } from '../servers/index.js';
import { CONTEXT, createFilter, fill, fleet, HOT, type Running, start, until, valueOf } from './support.js';

const mongo = await startMongo(t);

/** What two replicas say in turn, one after the other, until `isEnd`. */
async function watch<T>(
  ask: (running: Running) => Promise<T>,
  both: readonly Running[],
  isEnd: (said: T) => boolean,
) {
  const seen: T[] = [];
  for (let turn = 0; ; turn++) {
    const said = await ask(both[turn % 2]!);
    seen.push(said);
    if (isEnd(said)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isGrowing(t: Test, counts: readonly number[]) {
  t.same(
    counts,
    [...counts].sort((a, b) => a - b),
    'whichever is asked, it never goes back',
  );
}

async function untilTwo(...both: Running[]) {
  await until(() => both.every(({ replicas }) => replicas().length === 2));
}

if (mongo !== undefined) {
  void t.test('how far a recalculation is, asked for at any replica', async (t) => {
    const storageUrl = mongo.freshUrl();
    // slow enough for some notes
    const wrap = (store: Store): Store => ({
      ...store,
      async scanStale(...args) {
        await new Promise((resolve) => setTimeout(resolve, 400));
        return store.scanStale(...args);
      },
    });
    const a = await start(t, { storageUrl, replica: 'a', wrap });
    await fill(t, a, fleet(600));
    const b = await start(t, { storageUrl, replica: 'b', wrap });
    await untilTwo(a, b);
    const made = await createFilter(a, 'hot', HOT);
    const ask = async ({ register }: Running) =>
      valueOf(await register.filters.get(CONTEXT, 'app', made.filter.id));
    const seen = await watch(ask, [a, b], ({ filter }) => filter.status === 'active');
    const told = seen.flatMap(({ progress }) => progress ?? []);
    isGrowing(
      t,
      told.map(({ evaluated }) => evaluated),
    );
    t.ok(told.every(({ total }) => total === 600));
    for (const parity of [0, 1]) {
      const own = seen.filter((_, i) => i % 2 === parity).flatMap(({ progress }) => progress ?? []);
      t.ok(
        own.some(({ evaluated, state }) => evaluated > 0 && state === 'evaluating'),
        JSON.stringify(own.at(-1)),
      );
    }
  });

  void t.test('how far a batch task is, asked for at any replica', async (t) => {
    const storageUrl = mongo.freshUrl();
    let mayEnd = false;
    // those of the second half are away for a while
    const issuer: TokenIssuer = {
      repeatable: true,
      issue: ({ endpointId }): Issued =>
        mayEnd || Number(endpointId.slice(1)) < 300
          ? { kind: 'issued', token: `token-${endpointId}` }
          : { kind: 'unissued', cause: 'away', message: 'not yet' },
    };
    const a = await start(t, { storageUrl, replica: 'a', issuer });
    const b = await start(t, { storageUrl, replica: 'b', issuer });
    await untilTwo(a, b);
    const endpoints = Array.from({ length: 600 }, (_, i) => ({ endpointId: `e${i}` }));
    const { taskId } = valueOf(await a.register.batches.start(CONTEXT, { versionName: 'v1', endpoints }));
    const ask = async ({ register }: Running) =>
      valueOf(await register.batches.status(CONTEXT, 'app', taskId));
    const first = await watch(ask, [b, a], ({ createdCount }) => createdCount === 300);
    const inB = await ask(b);
    t.equal(inB.createdCount, 300, 'also where it is not done');
    t.equal(inB.created.find(({ endpointId }) => endpointId === 'e7')?.endpointToken, 'token-e7');
    t.equal((await b.store.getTask(taskId))?.complete, false);
    mayEnd = true;
    const rest = await watch(ask, [a, b], ({ createdCount }) => createdCount === 600);
    isGrowing(
      t,
      [...first, ...rest].map(({ createdCount }) => createdCount),
    );
    await until(async () => (await b.store.getTask(taskId))?.complete === true);
    t.equal((await ask(b)).createdCount, 600);
  });
}
