import t from 'tap';
import type { JsonObject } from '../../src/model/json.js';
import {
  COLD,
  CONTEXT,
  createFilter,
  fill,
  fleet,
  HOT,
  SETTINGS,
  start,
  untilActive,
  valueOf,
} from '../register/support.js';
import { startNats } from '../servers/index.js';
import { startAnswering } from './served-support.js';

void t.test('EFMP ep-filters-request, ep-list-by-filter-request', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  let hold = false;
  const running = await start(t, {
    wrap: (store) => ({
      ...store,
      scanStale: async (...args) => {
        while (hold) await new Promise((resolve) => setTimeout(resolve, 5));
        return store.scanStale(...args);
      },
    }),
  });
  await fill(t, running, fleet(2400));
  const version = { tenant: 'kaa', application: 'app', version: 'v2' };
  const moved = { endpointId: 'e39', correlationId: 'c', timestampMs: Date.now(), version };
  t.equal((await running.register.endpoints.submit({ type: 'set-version', ...moved })).kind, 'applied');
  const hot = (await createFilter(running, 'hot', HOT)).filter.id;
  const cold = (await createFilter(running, 'cold', COLD)).filter.id;
  await untilActive(running, hot);
  await untilActive(running, cold);
  hold = true;
  t.teardown(() => (hold = false));
  const pending = (await createFilter(running, 'pending', { metadata: HOT['metadata']! })).filter.id;
  const { client } = await startAnswering(t, nats.url, running.register);

  const filters = (endpointId: string) => client.efmp('ep-filters-request', { endpointId });
  const good = { statusCode: 200, reasonPhrase: null, correlationId: 'c-1' };
  t.match(await filters('e39'), { ...good, endpointId: 'e39', filterIds: [hot] });
  t.match(await filters('e0'), { ...good, endpointId: 'e0', filterIds: [cold] });
  t.match(await filters('none'), {
    endpointId: 'none',
    filterIds: [],
    statusCode: 404,
    reasonPhrase: /"none"/,
  });
  t.match(await filters('no id'), { endpointId: 'no id', filterIds: [], statusCode: 400 });

  const members = (filterId: string) => client.efmp('ep-list-by-filter-request', { filterId });
  const found = await members(hot);
  t.match(found, { ...good, filterId: hot });
  const map = found.appVersionsToEndpoints as Record<string, string[]>;
  t.same(Object.keys(map).sort(), ['v1', 'v2']);
  t.same(map['v2'], ['e39']);
  const expected = Object.entries(fleet(2400)).filter(([, metadata]) => Number(metadata['temp']) >= 20);
  t.same([...map['v1']!, 'e39'].sort(), expected.map(([id]) => id).sort(), 'each of 1200, over pages, once');

  const nothing = { appVersionsToEndpoints: {} };
  t.match(await members(pending), {
    ...nothing,
    filterId: pending,
    statusCode: 409,
    reasonPhrase: /pending/,
  });
  t.match(await members('none'), { ...nothing, filterId: 'none', statusCode: 404, reasonPhrase: /"none"/ });
  hold = false;
  await untilActive(running, pending);
  const all = (await members(pending)).appVersionsToEndpoints as JsonObject;
  t.equal((all['v1'] as string[]).length, 1199);
});

void t.test('EPRMP ep-relations-get-request', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, fleet(1300));
  const ids = Array.from({ length: 1299 }, (_, i) => `e${i + 1}`);
  for (let at = 0; at < ids.length; at += 500) {
    const items = ids.slice(at, at + 500).map((to) => ({ from: 'e0', to }));
    valueOf(await running.register.relations.link(CONTEXT, items));
  }
  const { client } = await startAnswering(t, nats.url, running.register);
  const ask = (endpointId: string, relation: string) =>
    client.eprmp('ep-relations-get-request', { endpointId, relation });
  const good = { statusCode: 200, reasonPhrase: null, correlationId: 'c-1' };
  const contained = await ask('e0', 'contains');
  t.match(contained, good);
  t.same([...(contained.endpointIds as string[])].sort(), [...ids].sort());
  t.match(await ask('e7', '!contains'), { ...good, endpointIds: ['e0'] });
  t.same((await ask('e7', 'contains')).endpointIds, []);
  t.match(await ask('none', 'contains'), { endpointIds: [], statusCode: 404, reasonPhrase: /"none"/ });
  t.match(await ask('no id', 'contains'), { endpointIds: [], statusCode: 400 });
  t.match(await ask('e0', 'Contains'), {
    endpointIds: [],
    statusCode: 400,
    reasonPhrase: /"contains" or "!contains"/,
  });
});

void t.test('answers that do not fit into one message are refused, and say how many there are', async (t) => {
  const nats = await startNats(t, { config: 'max_payload: 2048' });
  if (nats === undefined || !nats.managed) return;
  const filtersPerApplication = 100;
  const running = await start(t, { settings: { filters: { ...SETTINGS.filters, filtersPerApplication } } });
  const large = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`key_of_this_endpoint_${i}`, i]));
  await fill(t, running, { ...fleet(200), large: { ...large, temp: 30 } });
  const { client } = await startAnswering(t, nats.url, running.register);
  for (let i = 0; i < 60; i++) {
    const { filter } = await createFilter(running, `f${i}`, HOT);
    if (i === 59) await untilActive(running, filter.id);
  }
  const { filters } = valueOf(await running.register.filters.list(CONTEXT, 'app', { offset: 0, limit: 1 }));
  const items = Array.from({ length: 200 }, (_, i) => ({ from: 'large', to: `e${i}` }));
  const many = Array.from({ length: 190 }, (_, i) => `e${i}`);

  valueOf(await running.register.relations.link(CONTEXT, items));
  const got = await client.epmmp('ep-metadata-get-request', {
    endpointId: 'large',
    include: [],
    includeMetadata: true,
  });
  t.match(got, { endpointId: 'large', statusCode: 413, payload: null, eTag: null });
  t.match(got.reasonPhrase, /There are 91 metadata keys, \d+ bytes: more than fits.*2048/);
  const one = { endpointId: 'large', include: ['temp'], includeMetadata: true };
  t.equal((await client.epmmp('ep-metadata-get-request', one)).statusCode, 200, 'less fits');

  const keys = await client.epmmp('ep-metadata-keys-get-request', { endpointId: 'large' });
  t.match(keys, { statusCode: 413, keys: [], reasonPhrase: /91 metadata keys/ });
  const of = await client.efmp('ep-filters-request', { endpointId: 'large' });
  t.match(of, { statusCode: 413, filterIds: [], reasonPhrase: /60 filters/ });
  const filterId = filters[0]!.filter.id;
  t.match(await client.efmp('ep-list-by-filter-request', { filterId }), { statusCode: 200 });
  await fill(t, running, Object.fromEntries(many.map((id) => [`${id}-with-a-longer-id`, { temp: 39 }])));
  const members = await client.efmp('ep-list-by-filter-request', { filterId });
  t.match(members, { statusCode: 413, filterId, appVersionsToEndpoints: {}, reasonPhrase: /291 endpoints/ });
  const relations = { endpointId: 'large', relation: 'contains' };
  t.match(await client.eprmp('ep-relations-get-request', relations), { statusCode: 200 });
  for (let at = 0; at < many.length; at += 95) {
    const longer = many.slice(at, at + 95).map((id) => ({ from: 'large', to: `${id}-with-a-longer-id` }));
    valueOf(await running.register.relations.link(CONTEXT, longer));
  }
  const contained = await client.eprmp('ep-relations-get-request', relations);
  t.match(contained, { statusCode: 413, endpointIds: [], reasonPhrase: /390 endpoints/ });

  const some = many.slice(0, 70).map((id) => `${id}-with-a-longer-id`);
  const versions = await client.epmmp('ep-app-version-get-request', { endpointIds: some });
  t.match(versions, { statusCode: 413, appVersionsToEndpoints: {}, reasonPhrase: /70 endpoints/ });
  t.same(versions.endpointIds, some, 'they are echoed where they fit');
  const most = Array.from({ length: 380 }, (_, i) => `e${i % 200}`);
  const whole = await client.epmmp('ep-app-version-get-request', { endpointIds: most });
  t.match(whole, { statusCode: 413, endpointIds: [], reasonPhrase: /380 endpoints/ });

  const commands = Array.from({ length: 60 }, (_, i) => ({
    endpointId: `nobody-of-this-name-${i}`,
    metadataKey: 'k',
    metadataValue: Buffer.from('1'),
  }));
  const failed = await client.epmmp('ep-metadata-key-batch-update-request', { commands });
  t.match(failed, { statusCode: 404, reasonPhrase: /^60 of 60 commands failed, of nobody-of-this-name-0, / });
  t.match(failed.reasonPhrase, / and \d+ more endpoints\. The first: /);
});
