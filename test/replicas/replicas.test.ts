import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { createReplicas, fenceStore } from '../../src/replicas/index.js';
import { openStore, type Replication, StorageUnavailable } from '../../src/storage/index.js';
import { register } from '../storage/contract/building.js';
import { startMongo } from '../servers/index.js';

const mongo = await startMongo(t);
const VALID_MS = 1_000;
const log = pino({ level: 'silent' });

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A replica that may write, on its own connection to the storage, which can be cut. */
async function join(t: Test, url: string, id: string, known = 0, validMs = VALID_MS) {
  const store = await openStore({ url, durability: 'sync' });
  t.teardown(() => store.close());
  const state = { cut: false, catchUps: 0 };
  const replication = store.replication!;
  const cuttable = Object.fromEntries(
    Object.entries(replication as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
      ([name, call]) => [
        name,
        (...args: unknown[]) => (state.cut ? Promise.reject(new StorageUnavailable('cut')) : call(...args)),
      ],
    ),
  ) as unknown as Replication;
  const replicas = await createReplicas({ replication: cuttable, id, log, metrics: new Registry(), validMs });
  t.teardown(() => replicas.stop());
  await replicas.begin(known, async () => {
    state.catchUps++;
    if (state.cut) throw new StorageUnavailable('cut');
  });
  return { store, replicas, state };
}

if (mongo !== undefined) {
  void t.test('they see each other come and go', async (t) => {
    const url = mongo.freshUrl();
    const a = (await join(t, url, 'a')).replicas;
    const seen: string[] = [];
    const end = a.onLive(() => void seen.push(a.live().join(' ')));
    const b = (await join(t, url, 'b')).replicas;
    await until(() => a.live().length === 2);
    t.same(b.live(), ['a', 'b'], 'at once, itself included');
    t.match(b.status(), { status: 'UP', details: { id: 'b', live: 2 } });
    await b.stop();
    await until(() => a.live().length === 1);
    t.same(seen, ['a b', 'a'], 'each change told once');
    end();
    await join(t, url, 'c');
    await until(() => a.live().length === 2);
    t.equal(seen.length, 2, 'nobody listens any more');
  });

  void t.test(
    'one that can not say that it is alive stops writing before others take it for dead',
    async (t) => {
      const url = mongo.freshUrl();
      const a = await join(t, url, 'a');
      const b = await join(t, url, 'b');
      await until(() => a.replicas.live().length === 2);
      t.equal(await a.replicas.takeLease('work'), true);
      t.equal(await b.replicas.takeLease('work'), false);
      t.equal(a.replicas.whyNot(), undefined);
      a.state.cut = true;
      let wasDead = false;
      while (b.replicas.live().includes('a')) {
        // asked in this order: what b believed was so before
        const taken = await b.replicas.takeLease('work');
        if (taken) wasDead = true;
        if (taken) t.notOk(a.replicas.holds('work'), 'two never hold it');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      t.match(a.replicas.whyNot(), /could not say that it is alive for/);
      t.match(a.replicas.status(), { status: 'DOWN' });
      t.notOk(a.replicas.holds('work'));
      const fenced = fenceStore(a.store, a.replicas);
      await t.rejects(fenced.commit([register({ id: 'e' })]), /take it for dead/);
      t.same(await a.store.load(['e']), [undefined], 'nothing was sent');
      t.equal(wasDead || (await b.replicas.takeLease('work')), true, 'a lease of a dead one is free');

      const before = a.state.catchUps;
      a.state.cut = false;
      await until(() => a.replicas.whyNot() === undefined);
      t.ok(a.state.catchUps > before, 'it takes up what it missed before it writes again');
      t.notOk(a.replicas.holds('work'), 'and has its lease no more');
      t.equal(await a.replicas.takeLease('work'), false);
      t.match(await fenced.commit([register({ id: 'e' })]), [{ kind: 'written' }]);
      await until(() => b.replicas.live().length === 2);
    },
  );

  void t.test(
    'something is known when each live one knows it; a dead one is not waited for longer',
    async (t) => {
      const url = mongo.freshUrl();
      const a = await join(t, url, 'a', 1);
      const b = await join(t, url, 'b', 1);
      await a.replicas.untilKnown(1);
      t.equal(a.replicas.allKnow(1), true);
      t.equal(a.replicas.allKnow(2), false);
      a.replicas.announce(2);
      let known = false;
      const waits = a.replicas.untilKnown(2).then(() => (known = true));
      // until its own row says it, at the least
      await until(async () => (await b.store.replication!.replicas()).some((row) => row.known === 2));
      t.equal(known, false);
      b.replicas.announce(2);
      await waits;
      t.equal(a.replicas.allKnow(2), true);
      b.replicas.announce(1);
      t.equal(a.replicas.allKnow(2), true, 'once so, always so');

      a.replicas.announce(3);
      b.state.cut = true;
      await a.replicas.untilKnown(3);
      t.match(b.replicas.whyNot(), /could not say/, 'it does not write without knowing it');

      const stop = new AbortController();
      const given = a.replicas.untilKnown(99, stop.signal);
      stop.abort();
      await given;
      t.equal(a.replicas.allKnow(99), false, 'who waits may give up');
    },
  );

  void t.test('an id is one process’s; one that died gives it free', async (t) => {
    const url = mongo.freshUrl();
    const a = await join(t, url, 'a');
    await t.rejects(join(t, url, 'a'), /same replica id is alive.*Remedy: .*The id is "a"/);
    t.equal(a.replicas.whyNot(), undefined);
    // as one that was killed: its row stays
    a.state.cut = true;
    const again = await join(t, url, 'a');
    t.equal(again.replicas.whyNot(), undefined);
    t.ok(a.replicas.whyNot() !== undefined, 'not two at a time');
  });
}
