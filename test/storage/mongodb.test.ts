import { type Collection, MongoClient } from 'mongodb';
import t, { type Test } from 'tap';
import { parseQuery, type JsonObject } from '../../src/filters/index.js';
import { decodeEvents } from '../../src/model/event.js';
import { guardOf, metadataOf } from '../../src/model/record.js';
import type { EndpointDocument } from '../../src/storage/mongodb/documents.js';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import {
  createKnownKeys,
  type KeyDocument,
  noteKeys,
  purgeKeys,
} from '../../src/storage/mongodb/metadata-keys.js';
import type { Store } from '../../src/storage/port.js';
import { startMongo } from '../servers/index.js';
import {
  eventsOf,
  guard,
  idOf,
  kindsOf,
  register,
  unregister,
  update,
  written,
} from './contract/building.js';
import { queryOf } from './contract/lists.js';
import { storeContract } from './store-contract.js';

t.setTimeout(300_000);
const mongo = await startMongo(t);

async function open(t: Test, url: string, durability: 'sync' | 'async' = 'sync'): Promise<Store> {
  const store = await openMongoStore({ url, durability });
  t.teardown(() => store.close());
  return store;
}

async function messageOf(opening: Promise<Store>): Promise<string> {
  const error = await opening.then(
    () => new Error('it opens'),
    (error: Error) => error,
  );
  return `${error.name}: ${error.message}`;
}

void t.test('what can not be opened says why, and shows no password', async (t) => {
  const broken = await messageOf(openMongoStore({ url: 'mongodb://kaa:geheim@/epr', durability: 'sync' }));
  t.match(broken, /^Error: storage\.url is not a MongoDB URL: mongodb:\/\/kaa:\*\*\*@\/epr/);
  t.notMatch(broken, /geheim/);
  const away = await messageOf(
    openMongoStore({
      url: 'mongodb://kaa:geheim@127.0.0.1:1/epr?serverSelectionTimeoutMS=100',
      durability: 'sync',
    }),
  );
  t.match(
    away,
    /^StorageUnavailable: MongoDB at mongodb:\/\/kaa:\*\*\*@127\.0\.0\.1:1\/epr.*Remedy: start it/,
  );
  t.notMatch(away, /geheim/);
});

if (mongo !== undefined) {
  void t.test('the contract', (t) => {
    storeContract(t, async (t) => {
      const url = mongo.freshUrl();
      let store = await open(t, url);
      return {
        store,
        reopen: async () => {
          await store.close();
          return (store = await open(t, url));
        },
      };
    });
    t.end();
  });

  void t.test('a unique index that can not be made is noted; tokens are looked up instead', async (t) => {
    const url = mongo.freshUrl();
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    await client
      .db()
      .collection('endpoints')
      .insertMany([{ token: 'twin' }, { token: 'twin' }]);
    const store = await open(t, url);
    t.equal(store.notes.length, 1);
    t.match(store.notes[0], /"token" of collection "endpoints".*without unique, sparse.*Remedy/);
    await written(t, store, [register({ id: idOf(1), tokenHash: 'aa' }), register({ id: idOf(2) })]);
    const results = await store.commit([
      register({ id: idOf(3), tokenHash: 'aa' }),
      register({ id: idOf(4), tokenHash: 'bb' }),
      register({ id: idOf(5), tokenHash: 'bb' }),
      update({ id: idOf(2), revision: 2 }),
    ]);
    t.same(kindsOf(results), ['token-taken', 'written', 'token-taken', 'written']);
  });

  void t.test('a server in order has nothing to note, in either durability', async (t) => {
    for (const durability of ['sync', 'async'] as const) {
      const store = await open(t, mongo.freshUrl(), durability);
      t.same(store.notes, []);
      await written(t, store, [register({ id: idOf(1) }, { events: eventsOf(idOf(1), 1, 'registered') })]);
      t.equal((await store.readOutbox(10)).length, 1);
    }
  });

  void t.test('keys that MongoDB can not store are exact in records, and found by queries', async (t) => {
    const store = await open(t, mongo.freshUrl());
    const value = JSON.parse(
      '{"$set":{"a.b":1,"$ref":[{"nul\\u0000":-0}]},"_bsontype":"ObjectId","__proto__":{"x":1},"toBSON":"no"}',
    ) as JsonObject;
    const big = { big: 2 ** 53, small: 5e-324, int: 2 ** 31 };
    await written(t, store, [
      register({ id: idOf(1), metadata: { odd: value, big } }),
      register({ id: idOf(2), metadata: { odd: { $set: 1 } } }),
    ]);
    await written(t, store, [
      update({ id: idOf(1), revision: 2, metadata: { odd: value, big, more: [[value]] } }),
    ]);
    const [bytes] = await store.load([idOf(1)]);
    t.equal(JSON.stringify(metadataOf(bytes!)), JSON.stringify({ odd: value, big, more: [[value]] }));
    const count = async (query: JsonObject): Promise<number> => {
      const parsed = parseQuery(query);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
      const page = await store.find(queryOf({ where: parsed.query, withTotal: true }));
      const mine = [value, { $set: 1 }].filter((odd, i) =>
        parsed.query.matches({
          endpointId: idOf(i + 1),
          applicationVersion: 'app-v1',
          metadata: i === 0 ? { odd, big, more: [[value]] } : { odd },
        }),
      );
      t.equal(page.total, mine.length, `MongoDB and the engine agree on ${JSON.stringify(query)}`);
      return page.total!;
    };
    const odd = (condition: JsonObject): JsonObject => ({
      metadata: { $elemMatch: { key: 'odd', ...condition } },
    });
    t.equal(await count(odd({ 'value._bsontype': 'ObjectId' })), 1);
    t.equal(await count(odd({ 'value.__proto__.x': { $gte: 1 } })), 1);
    t.equal(await count(odd({ 'value.toBSON': { $in: ['no'] } })), 1);
    t.equal(
      await count({ 'metadata.value': { $all: [{ $elemMatch: { $elemMatch: { toBSON: 'no' } } }] } }),
      1,
    );
    t.equal(
      await count({ metadata: { $elemMatch: { $or: [{ 'value.big': 2 ** 53 }, { key: 'none' }] } } }),
      1,
    );
    t.equal(await count({ metadata: { $not: { $elemMatch: { key: 'more' } } } }), 1);
  });

  void t.test('metadata keys are noted before their records; what is gone does not show', async (t) => {
    const url = mongo.freshUrl();
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    const noted = client.db().collection<{ _id: string; goneSince?: number }>('metadata-keys');
    const endpoints = client.db().collection<EndpointDocument>('endpoints');
    const keys = noted as unknown as Collection<KeyDocument>;
    const shown = async (store: Store) => Object.fromEntries(await store.metadataKeys('app'));
    let store = await open(t, url);
    await written(t, store, [register({ id: idOf(1), version: 'v1', metadata: { a: 1, b: 1 } })]);
    await noted.insertOne({ _id: 'app/v1/ghost', version: 'v1', key: 'ghost' } as never);
    t.same(await shown(store), { v1: ['a', 'b'] }, 'as after a crash before the record was written');

    await noted.drop();
    await store.close();
    store = await open(t, url);
    t.same(await shown(store), { v1: ['a', 'b'] }, 'what was stored before is noted once');

    await store.close(); // it purges by itself
    await endpoints.updateOne({ _id: idOf(1) }, { $set: { metadata: [{ key: 'a', value: 1 }] } });
    const hour = 3600_000;
    const ids = async () => (await noted.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
    await purgeKeys(keys, endpoints, 1 * hour);
    t.same(await ids(), ['/built', 'app/v1/a', 'app/v1/b'], 'marked only');
    await purgeKeys(keys, endpoints, 1.5 * hour);
    t.same(await ids(), ['/built', 'app/v1/a', 'app/v1/b'], 'not long enough');
    const back = update(
      { id: idOf(1), version: 'v1', revision: 2, metadata: { a: 1, b: 2 } },
      { keys: { added: ['b'], updated: [], removed: [] } },
    );
    await noteKeys(keys, createKnownKeys(), [back]);
    await purgeKeys(keys, endpoints, 2.5 * hour);
    t.same(await ids(), ['/built', 'app/v1/a', 'app/v1/b'], 'who brought it back took the mark away');
    await purgeKeys(keys, endpoints, 4 * hour);
    t.same(await ids(), ['/built', 'app/v1/a'], 'long gone');
  });

  void t.test('the cache is old at most until a conflict', async (t) => {
    const url = mongo.freshUrl();
    const [a, b] = [await open(t, url), await open(t, url)];
    const id = idOf(1);
    const revisionOf = async (store: Store, fresh?: boolean): Promise<number> =>
      guardOf((await store.load([id], fresh === undefined ? {} : { fresh }))[0]!).revision;
    await written(t, a, [register({ id })]);
    await written(t, b, [update({ id, revision: 2 })]);
    t.equal(await revisionOf(a, false), 1, 'from the cache');
    t.equal(await revisionOf(a), 2, 'fresh is the rule');
    t.same(kindsOf(await a.commit([update({ id, revision: 2 })])), ['conflict']);
    t.equal(await revisionOf(a, false), 2, 'read anew after a conflict');
  });

  void t.test('clearing a later entry leaves an earlier one, which another replica may hold', async (t) => {
    const store = await open(t, mongo.freshUrl());
    const id = idOf(1);
    await written(t, store, [register({ id }, { events: eventsOf(id, 1, 'registered') })]);
    await written(t, store, [update({ id, revision: 2 }, { events: eventsOf(id, 2) })]);
    const [first, second] = (await store.readOutbox(10)).map((entry) => entry.position);
    await store.clearOutbox([second!]);
    t.same(
      (await store.readOutbox(10)).map((entry) => entry.position),
      [first],
    );
  });

  void t.test(
    'cleared entries leave with the next write, or at the end; a crash before shows them again',
    async (t) => {
      const url = mongo.freshUrl();
      const [store, other] = [await open(t, url), await open(t, url)];
      const [busy, idle] = [idOf(1), idOf(2)];
      await written(
        t,
        store,
        [busy, idle].map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
      );
      // A store that does not know what was cleared reads what a crash would leave.
      const seenBy = async (at: Store): Promise<string[]> =>
        (await at.readOutbox(10)).map(
          ({ position, events }) =>
            `${position.source === busy ? 'busy' : 'idle'} ${decodeEvents(events).events[0]!.revision}`,
        );
      await store.clearOutbox((await store.readOutbox(10)).map((entry) => entry.position));
      t.same(await seenBy(store), []);
      const stored = (await store.readStoredOutbox(10)).map(({ position }) => position.source);
      t.same(stored.sort(), [busy, idle].sort(), 'who asks what is stored sees them');
      const both = await seenBy(other);
      t.same(both.sort(), ['busy 1', 'idle 1'], 'no write of their own');
      t.same(kindsOf(await store.commit([update({ id: busy, revision: 9 })])), ['conflict']);
      await written(t, store, [update({ id: busy, revision: 2, filterSet: 0 })]);
      t.same((await seenBy(other)).sort(), ['busy 1', 'idle 1'], 'a write without events leaves them');
      await written(t, store, [update({ id: busy, revision: 3 }, { events: eventsOf(busy, 3) })]);
      t.same((await seenBy(other)).sort(), ['busy 3', 'idle 1'], 'the next with events takes them out');
      t.same(await seenBy(store), ['busy 3']);
      await written(t, other, [update({ id: busy, revision: 4 }, { events: eventsOf(busy, 4) })]);
      await store.clearOutbox((await store.readOutbox(1)).map((entry) => entry.position));
      t.same(await seenBy(store), ['busy 4'], 'one of another replica is not taken for cleared');
      await store.close();
      t.same(await seenBy(other), ['busy 4'], 'an orderly end clears');
      const client = await new MongoClient(url).connect();
      t.teardown(() => client.close());
      const due = await client.db().collection('endpoints').distinct('due');
      t.same(due, [busy], 'what has nothing to publish is out of the index');
    },
  );

  void t.test('what a crash left half cleared is no longer due after the next start', async (t) => {
    const url = mongo.freshUrl();
    const store = await open(t, url);
    await written(t, store, [register({ id: idOf(1) }, { events: eventsOf(idOf(1), 1, 'registered') })]);
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    const endpoints = client.db().collection('endpoints');
    await endpoints.updateOne({}, { $set: { unpublished: {} } });
    // Opening looks through it, and closing waits for that.
    await (await openMongoStore({ url, durability: 'sync' })).close();
    t.equal(await endpoints.countDocuments({ due: { $exists: true } }), 0);
  });

  void t.test('a tombstone goes after its day, but not before its events', async (t) => {
    const url = mongo.freshUrl();
    let store = await open(t, url);
    // Opening purges, and closing waits for that.
    const purged = async (): Promise<void> => {
      await store.close();
      store = await open(t, url);
      await store.close();
      store = await open(t, url);
    };
    const twoDaysAgo = Date.now() - 48 * 3600_000;
    await written(t, store, [
      register({ id: idOf(1) }),
      register({ id: idOf(2) }),
      register({ id: idOf(3) }),
    ]);
    const old = { revision: 2, deletedMs: twoDaysAgo };
    await written(t, store, [
      {
        ...unregister({ id: idOf(1), ...old }),
        record: goneSince(idOf(1), twoDaysAgo),
        events: eventsOf(idOf(1), 2),
      },
      { ...unregister({ id: idOf(2), ...old }), record: goneSince(idOf(2), twoDaysAgo) },
      unregister({ id: idOf(3), revision: 2 }),
    ]);
    const present = async () => (await store.load([1, 2, 3].map(idOf))).map((bytes) => bytes !== undefined);
    await purged();
    t.same(await present(), [true, false, true]);
    await store.clearOutbox((await store.readOutbox(10)).map((entry) => entry.position));
    await purged();
    t.same(await present(), [false, false, true]);
    t.same(
      kindsOf(await store.commit([register({ id: idOf(1), revision: 3 }, { expected: guard(2) })])),
      ['conflict'],
      'who comes back after it begins anew',
    );
  });
}

function goneSince(id: string, deletedMs: number): Uint8Array {
  return update({ id, revision: 2, deletedMs }).record;
}
