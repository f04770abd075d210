import { MongoClient } from 'mongodb';
import t, { type Test } from 'tap';
import { encodeEvents } from '../../src/model/event.js';
import {
  relationEventRevision,
  relationSourceOf,
  type Relation,
  type RelationEnd,
} from '../../src/model/relation.js';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import { StorageUnavailable, type RelationsWrite, type Store } from '../../src/storage/port.js';
import { startMongo } from '../servers/index.js';
import { START_MS } from './contract/building.js';
import { drain } from './contract/outbox.js';
import { startLosingProxy } from './losing-proxy.js';

t.setTimeout(120_000);
const mongo = await startMongo(t);

const end = (endpointId: string): RelationEnd => ({ endpointId, createdMs: START_MS });
const [HUB, A, B] = [end('hub'), end('a'), end('b')];
const [TO_A, TO_B]: [Relation, Relation] = [
  { from: HUB, to: A },
  { from: HUB, to: B },
];

function change(expectedRevision: number, parts: Partial<RelationsWrite>): RelationsWrite {
  const revision = relationEventRevision(expectedRevision + 1, 0);
  const events = [{ kind: 'relations-updated' as const, revision, payload: Buffer.from('x') }];
  const group = { source: relationSourceOf('kaa'), tenant: 'kaa', application: 'app', events };
  return { tenant: 'kaa', expectedRevision, link: [], unlink: [], events: [encodeEvents(group)], ...parts };
}

async function open(t: Test, url: string): Promise<Store> {
  const store = await openMongoStore({ url, durability: 'sync' });
  t.teardown(() => store.close());
  return store;
}

async function contentsOf(store: Store): Promise<string[]> {
  const query = { tenant: 'kaa', end: HUB, direction: 'contains' as const, offset: 0, limit: 100 };
  const { ends, total } = await store.findRelations(query);
  if (total !== ends.length) throw new Error(`${total} are counted, ${ends.length} are listed`);
  return ends.map(({ endpointId }) => endpointId);
}

/** A store whose writes to a collection can be held up, and another on the same data. */
async function openTwo(t: Test, collection: string) {
  const url = mongo!.freshUrl();
  const proxy = await startLosingProxy(t, url, collection);
  const client = await new MongoClient(url).connect();
  t.teardown(() => client.close());
  const pending = () =>
    client
      .db()
      .collection('relationGuards')
      .countDocuments({ pending: { $exists: true } });
  return { url, proxy, store: await open(t, proxy.url), other: await open(t, url), pending };
}

if (mongo !== undefined && mongo.kind !== 'external') {
  for (const [who, finishes] of Object.entries<(store: Store) => Promise<unknown>>({
    'a reader of a page': contentsOf,
    'a reader of links': (store) => store.linked('kaa', [TO_A]),
    'a walk': (store) => store.related('kaa', [B], '!contains', 10),
    'the next writer': (store) => store.relationsRevision('kaa'),
  }))
    void t.test(`a change that a crash left half done is finished by ${who}`, async (t) => {
      const { store, other, proxy, pending } = await openTwo(t, 'relations');
      await store.commitRelations(change(0, { link: [TO_A] }));
      proxy.hold(async () => 'cut');
      await t.rejects(
        store.commitRelations(change(1, { link: [TO_B], unlink: [TO_A] })),
        StorageUnavailable,
        'nothing is known of it',
      );
      t.equal(await pending(), 1, 'it has happened, and is not carried out');
      await finishes(other);
      t.equal(await pending(), 0);
      t.same(await contentsOf(other), ['b']);
      t.equal(await other.relationsRevision('kaa'), 2);
      t.equal((await drain(t, other, 10)).length, 2, 'with the events of both');
      t.equal((await other.commitRelations(change(1, { link: [TO_A] }))).kind, 'conflict');
      t.equal((await store.commitRelations(change(2, { link: [TO_A] }))).kind, 'written');
    });

  void t.test('and by the next start', async (t) => {
    const { url, store, proxy, pending } = await openTwo(t, 'relations');
    proxy.hold(async () => 'cut');
    await t.rejects(store.commitRelations(change(0, { link: [TO_A] })), StorageUnavailable);
    t.equal(await pending(), 1);
    const next = await open(t, url);
    while ((await pending()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    t.same(await contentsOf(next), ['a']);
  });

  void t.test('what arrives late changes nothing any more', async (t) => {
    const { store, other, proxy } = await openTwo(t, 'relations');
    await store.commitRelations(change(0, { link: [TO_A] }));
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const held = new Promise<void>((resolve) =>
      proxy.hold(async () => {
        resolve();
        await released;
        return 'send';
      }),
    );
    const late = store.commitRelations(change(1, { link: [TO_B], unlink: [TO_A] }));
    await held;
    t.same(await contentsOf(other), ['b'], 'a reader carries it out');
    await other.commitRelations(change(2, { link: [TO_A], unlink: [TO_B] }));
    t.same(await contentsOf(other), ['a']);
    release();
    t.equal((await late).kind, 'written', 'it was');
    t.same(await contentsOf(other), ['a'], 'but both were changed again since');
  });

  void t.test('an answer of the guard that is lost once is asked for again', async (t) => {
    const { store, other, proxy } = await openTwo(t, 'relationGuards');
    proxy.lose(1);
    t.equal((await store.commitRelations(change(0, { link: [TO_A] }))).kind, 'written', 'the first change');
    proxy.lose(1);
    t.equal((await store.commitRelations(change(1, { link: [TO_B] }))).kind, 'written', 'a further one');
    t.equal(proxy.lost, 2);
    t.same((await contentsOf(other)).sort(), ['a', 'b']);
    t.equal(await other.relationsRevision('kaa'), 2, 'each happened once');
    t.equal((await drain(t, other, 10)).length, 2);
  });

  void t.test('two replicas change the same relations, one after the other', async (t) => {
    const url = mongo.freshUrl();
    const stores = [await open(t, url), await open(t, url)];
    let conflicts = 0;
    const linkAll = async (store: Store, name: string): Promise<void> => {
      for (let i = 0; i < 15;) {
        const revision = await store.relationsRevision('kaa');
        const result = await store.commitRelations(
          change(revision, { link: [{ from: HUB, to: end(`${name}${i}`) }] }),
        );
        if (result.kind === 'written') i++;
        else conflicts++;
      }
    };
    await Promise.all(stores.map((store, i) => linkAll(store, `s${i}-`)));
    t.ok(conflicts > 0, `${conflicts} conflicts`);
    t.equal(await stores[0]!.relationsRevision('kaa'), 30);
    t.equal((await contentsOf(stores[1]!)).length, 30);
    t.equal((await drain(t, stores[0]!, 100)).length, 30);
  });

  void t.test('what was unlinked an hour ago is forgotten', async (t) => {
    const url = mongo.freshUrl();
    const store = await open(t, url);
    await store.commitRelations(change(0, { link: [TO_A, TO_B] }));
    await store.commitRelations(change(1, { unlink: [TO_A] }));
    const client = await new MongoClient(url).connect();
    t.teardown(() => client.close());
    const links = client.db().collection('relations');
    t.equal(await links.countDocuments(), 2);
    await links.updateMany({ gone: { $exists: true } }, { $set: { gone: Date.now() - 61 * 60 * 1000 } });
    const next = await open(t, url);
    while ((await links.countDocuments()) > 1) await new Promise((resolve) => setTimeout(resolve, 10));
    t.same(await contentsOf(next), ['b']);
  });
}
