import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { RecordWrite, Store } from '../../src/storage/port.js';
import { StorageUnavailable } from '../../src/storage/port.js';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import { decodeEvents } from '../../src/model/event.js';
import { guardOf } from '../../src/model/record.js';
import { startMongo } from '../servers/index.js';
import { startProxy } from '../servers/proxy.js';
import { eventsOf, idOf, kindsOf, register, update, written } from './contract/building.js';
import { drain } from './contract/outbox.js';
import { startLosingProxy } from './losing-proxy.js';

t.setTimeout(120_000);
const mongo = await startMongo(t);

async function open(t: Test, url: string): Promise<Store> {
  const store = await openMongoStore({ url, durability: 'sync' });
  t.teardown(() => store.close());
  return store;
}

async function revisionsOf(store: Store, ids: readonly string[]): Promise<number[]> {
  return (await store.load(ids)).map((bytes) => (bytes ? guardOf(bytes).revision : 0));
}

/** Resolves when it is done; the test's own time limit ends it. */
async function until(done: () => Promise<void>): Promise<void> {
  while (
    !(await done().then(
      () => true,
      () => false,
    ))
  )
    await delay(50);
}

function nextOf(id: string, revision: number): RecordWrite {
  return update({ id, revision, metadata: { revision } }, { events: eventsOf(id, revision) });
}

if (mongo !== undefined && mongo.kind !== 'external') {
  void t.test('an answer that is lost once is asked for again', async (t) => {
    const url = mongo.freshUrl();
    const proxy = await startLosingProxy(t, url);
    const store = await open(t, proxy.url);
    const ids = [1, 2, 3, 4].map(idOf);
    await written(t, store, [register({ id: ids[0]! }), register({ id: ids[1]! })]);

    proxy.lose(1);
    const results = await store.commit([
      nextOf(ids[0]!, 2),
      nextOf(ids[1]!, 7), // its guard does not fit
    ]);
    t.same(kindsOf(results), ['written', 'conflict'], 'an update');
    proxy.lose(1);
    await written(t, store, [
      register({ id: ids[2]!, tokenHash: 'aa' }, { events: eventsOf(ids[2]!, 1, 'registered') }),
      nextOf(ids[0]!, 3),
    ]);
    t.equal(proxy.lost, 2);
    t.same(await revisionsOf(store, ids), [3, 1, 1, 0]);
    const entries = await drain(t, store, 10);
    t.equal(entries.length, 3, 'each write left its events once');
  });

  void t.test('a server that stands still in the middle of a large write is given up', async (t) => {
    const url = new URL(mongo.freshUrl());
    let isStill = false;
    const clients = new Set<Socket>();
    const address = { host: url.hostname, port: Number(url.port) };
    const port = await startProxy(t, address, (client, upstream) => {
      clients.add(client);
      if (isStill) client.pause();
      client.on('data', (data) => upstream.write(data));
      upstream.on('data', (data) => void (isStill || client.write(data)));
    });
    url.port = String(port);
    for (const name of ['heartbeatFrequencyMS', 'connectTimeoutMS', 'serverSelectionTimeoutMS'])
      url.searchParams.set(name, '500');
    const store = await open(t, url.href);
    // what is asked before the write itself is known after this
    await written(t, store, [register({ id: idOf(99), metadata: { text: '' } })]);
    const large = Array.from({ length: 16 }, (_, i) => {
      const metadata = { text: 'x'.repeat(900_000) };
      return register({ id: idOf(i), metadata });
    });
    isStill = true;
    for (const client of clients) client.pause();
    await t.rejects(store.commit(large), StorageUnavailable, 'whoever waits is told');

    isStill = false;
    for (const client of clients) client.destroy();
    await until(() => store.ping());
    t.same(await revisionsOf(store, [idOf(0)]), [0]);
    t.same(kindsOf(await store.commit(large)), Array<string>(16).fill('written'));
  });

  void t.test('another replica writes the record again before we can ask', async (t) => {
    const url = mongo.freshUrl();
    const proxy = await startLosingProxy(t, url);
    const [store, other] = [await open(t, proxy.url), await open(t, url)];
    const id = idOf(1);
    await written(t, store, [register({ id })]);
    proxy.lose(1, async () => {
      for (let revision = 3; revision < 8; revision++) await other.commit([nextOf(id, revision)]);
      await other.clearOutbox((await other.readOutbox(10)).map((entry) => entry.position));
    });
    const results = await store.commit([nextOf(id, 2)]);
    t.same(kindsOf(results), ['written'], 'ours was, though five came after and its events are published');
    t.same(await revisionsOf(store, [id]), [7]);
    t.same(kindsOf(await store.commit([nextOf(id, 2)])), ['conflict'], 'a new commit of the same is not');
  });

  void t.test('lost twice is unknown; giving it again is safe', async (t) => {
    const proxy = await startLosingProxy(t, mongo.freshUrl());
    const store = await open(t, proxy.url);
    const id = idOf(1);
    await written(t, store, [register({ id })]);
    await store.load([id], { fresh: false });
    proxy.lose(2);
    await t.rejects(store.commit([nextOf(id, 2)]), StorageUnavailable);
    t.same(kindsOf(await store.commit([nextOf(id, 2)])), ['conflict'], 'it had been written');
    const [cached] = await store.load([id], { fresh: false });
    t.equal(guardOf(cached!).revision, 2, 'what is unknown is not in the cache');
    t.equal((await drain(t, store, 10)).length, 1);
  });

  void t.test('a killed server: what was answered is there, what was not is safe to repeat', async (t) => {
    const own = (await startMongo(t, { persistent: true }))!;
    const separator = own.url.includes('?') ? '&' : '?';
    const store = await open(t, `${own.url}${separator}serverSelectionTimeoutMS=2000`);
    const ids = Array.from({ length: 24 }, (_, i) => idOf(i));
    const rounds = 30;
    await written(
      t,
      store,
      ids.map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
    );
    let answered = 0;
    let unknown = 0;
    const unexpected: string[] = [];

    /** One partition of a pipeline: a batch after the other; what is unknown is loaded and given again. */
    async function writeBatches(mine: readonly string[]): Promise<void> {
      const acknowledged = new Map(mine.map((id) => [id, 1]));
      for (let done = 0; done < rounds;) {
        try {
          const present = await store.load(mine, { fresh: false });
          const writes = present.map((bytes, i) => nextOf(mine[i]!, guardOf(bytes!).revision + 1));
          present.forEach((bytes, i) => {
            if (guardOf(bytes!).revision < acknowledged.get(mine[i]!)!)
              unexpected.push(`${mine[i]} went back`);
          });
          const results = await store.commit(writes);
          results.forEach((result, i) => {
            if (result.kind !== 'written') unexpected.push(`${mine[i]}: ${result.kind}`);
            else acknowledged.set(mine[i]!, guardOf(writes[i]!.record).revision);
          });
          answered += mine.length;
          done++;
        } catch (error) {
          if (!(error instanceof StorageUnavailable)) throw error;
          unknown++;
        }
      }
    }
    async function killTwice(): Promise<void> {
      for (const share of [1 / 4, 1 / 2]) {
        while (answered < ids.length * rounds * share) await delay(10);
        const before = unknown;
        await own.kill();
        await t.rejects(store.ping(), StorageUnavailable);
        while (unknown === before) await delay(10);
        await own.restart();
      }
    }
    await Promise.all([killTwice(), ...[0, 8, 16].map((from) => writeBatches(ids.slice(from, from + 8)))]);

    t.same(unexpected, []);
    t.ok(unknown > 0, `${unknown} batches without an answer`);
    const revisions = await revisionsOf(store, ids);
    const perEndpoint = new Map(ids.map((id) => [id, [] as number[]]));
    for (const { events } of await drain(t, store, 100)) {
      const group = decodeEvents(events);
      perEndpoint.get(group.source)!.push(group.events[0]!.revision);
    }
    ids.forEach((id, i) => {
      t.ok(revisions[i]! > rounds, 'every answered write is there');
      const each = Array.from({ length: revisions[i]! }, (_, before) => before + 1);
      t.same(perEndpoint.get(id), each, 'with the events of every revision, each once');
    });
  });

  void t.test('two replicas race for the same records', async (t) => {
    const url = mongo.freshUrl();
    const stores = [await open(t, url), await open(t, url)];
    const ids = Array.from({ length: 16 }, (_, i) => idOf(i));
    await written(
      t,
      stores[0]!,
      ids.map((id) => register({ id })),
    );
    let successes = 0;
    let conflicts = 0;
    await Promise.all(
      [...stores, ...stores].map(async (store) => {
        for (let round = 0; round < 25; round++) {
          const present = await store.load(ids, { fresh: false });
          const writes = present.map((bytes, i) => nextOf(ids[i]!, guardOf(bytes!).revision + 1));
          for (const { kind } of await store.commit(writes)) {
            if (kind === 'written') successes++;
            else conflicts++;
          }
        }
      }),
    );
    const revisions = await revisionsOf(stores[0]!, ids);
    t.equal(
      revisions.reduce((sum, revision) => sum + revision - 1, 0),
      successes,
      `${successes} written, ${conflicts} conflicts`,
    );
    t.ok(conflicts > 0);
    t.equal((await drain(t, stores[1]!, 1000)).length, successes, 'events of each, once');
  });
}
