import t from 'tap';
import type { JsonObject } from '../../src/filters/index.js';
import { previewQuery } from '../../src/register/preview.js';
import { openMongoStore } from '../../src/storage/mongodb/index.js';
import type { Store } from '../../src/storage/port.js';
import { startMongo } from '../servers/index.js';
import { idOf, idsOf, register, written } from '../storage/contract/building.js';
import { queryOf } from '../storage/contract/lists.js';
import { entry, openStore, parsed, untilIndexed } from '../storage/value-support.js';

t.setTimeout(120_000);
const mongo = await startMongo(t);

const FLEET = Array.from({ length: 200 }, (_, i) => ({
  id: idOf(i),
  createdMs: 1000 + i,
  version: i % 2 === 0 ? 'v1' : 'v2',
  metadata: { n: i, city: `city-${i % 10}`, tags: [i % 3] },
}));

const explained = async (store: Store, query: JsonObject) => {
  const answer = await previewQuery(store, { application: 'app', query: parsed(query), sampleSize: 3 });
  const holds = FLEET.filter(({ id, version, metadata }) =>
    parsed(query).matches({ endpointId: id, applicationVersion: version, metadata }),
  );
  const newest = [...holds].reverse().slice(0, 3);
  for (const { condition, letsThrough, selectivity } of answer.explain.conditions) {
    const passing = FLEET.filter(({ id, version, metadata }) =>
      parsed(condition).matches({ endpointId: id, applicationVersion: version, metadata }),
    );
    t.same([letsThrough, selectivity], [passing.length, passing.length / 200], JSON.stringify(condition));
  }
  t.equal(answer.matchedEndpointsCount, holds.length, JSON.stringify(query));
  t.same(
    idsOf(answer.sample),
    newest.map(({ id }) => id),
  );
  t.equal(answer.explain.endpoints, 200);
  const { read, conditions } = answer.explain;
  return { read, indexes: conditions.map(({ index }) => index) };
};

void t.test('a preview counts by indexes, and reads only what they do not tell', async (t) => {
  const { store } = await openStore(t, { mostScanned: 50 });
  await written(
    t,
    store,
    FLEET.map((endpoint) => register(endpoint)),
  );
  const first = await explained(store, entry('n', { $lt: 20 }));
  t.same(first, { indexes: [null], read: { by: ['lists:application'], records: 200, entries: 200 } });
  for (const key of ['n', 'city', 'tags']) {
    await store.find(queryOf({ scope: { application: 'app' }, where: parsed(entry(key, -1)) }));
    const query = queryOf({ scope: { application: 'app' }, where: parsed(entry(key, -1)) });
    await untilIndexed(store, query, [`values:${key}`]);
  }
  const one = await explained(store, entry('n', { $lt: 20 }));
  t.same(one.indexes, ['values:n']);
  t.ok(one.read.records! <= 4 && one.read.entries! <= 70, JSON.stringify(one.read));
  const two = await explained(store, {
    application_version: 'v1',
    $and: [entry('n', { $lt: 50 }), entry('city', { $in: ['city-2', 'city-3'] })],
  });
  t.same(two.indexes, ['lists:version', 'values:n', 'values:city']);
  t.ok(two.read.records! <= 60, 'only the candidates of the most selective one');
  const mixed = await explained(store, {
    ...entry('n', 5),
    $or: [entry('city', { $ne: 'city-1' }), entry('tags', 2)],
  });
  t.same(mixed.indexes, ['values:n', null, null], 'what is not told is evaluated');
  t.equal(mixed.read.records, 200);
  const empty = await explained(store, {});
  t.same(empty.indexes, []);
  t.same(empty.read.by, ['lists:application'], 'one list, named once');
  t.ok(empty.read.records! <= 4, 'the sample, and one more');
});

if (mongo !== undefined) {
  void t.test('on MongoDB the server counts', async (t) => {
    const store = await openMongoStore({ url: mongo.freshUrl(), durability: 'sync' });
    t.teardown(() => store.close());
    await written(
      t,
      store,
      FLEET.map((endpoint) => register(endpoint)),
    );
    const told = await explained(store, {
      application_version: 'v1',
      endpoint_id: { $in: [0, 2, 4, 5].map(idOf) },
      $or: [entry('n', { $lt: 50 }), entry('tags', 2), { 'metadata.key': 'city' }],
    });
    t.same(told, {
      indexes: ['version_list', '_id_', 'metadata', 'metadata', 'metadata'],
      read: { by: null, records: null, entries: null },
    });
    const mixed = await explained(store, {
      $nor: [entry('city', { $ne: 'city-1' }), entry('n', { $gt: 100 })],
    });
    t.same(mixed.indexes, ['metadata', 'metadata'], 'the key narrows it, whatever is asked of its value');
    const left = await explained(store, { metadata: { $size: 3 }, ...{ 'metadata.value': 5 } });
    t.same(left.indexes, [null, null]);
    t.equal(left.read.records, 200);
  });
}
