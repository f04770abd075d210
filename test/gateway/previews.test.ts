/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { openAccess } from '../../src/security/index.js';
import { registerKettle, startHarness } from './harness.js';

const path = '/applications/kettle/filters/preview';
const temp = (value: object) => ({ metadata: { $elemMatch: { key: 'temp', value } } });

async function startFleet(t: Parameters<typeof startHarness>[0], options = {}) {
  const h = await startHarness(t, options);
  for (let i = 0; i < 40; i++)
    await registerKettle(h, `k${i}`, { temp: i, city: i % 4 === 0 ? 'Kyiv' : 'Lviv' });
  await h.call('POST', '/endpoints', {
    appVersion: { name: 'other-v1' },
    endpointId: 'o1',
    metadata: { temp: 39, city: 'Kyiv' },
  });
  return h;
}

void t.test('what a query would match, and what each condition lets through', async (t) => {
  const h = await startFleet(t);
  const mongoQuery = {
    application_version: 'kettle-v1',
    $or: [temp({ $gte: 30 }), { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } }],
    $nor: [{ $and: [temp({ $lt: 4 }), { endpoint_id: { $ne: 'k1' } }] }],
  };
  const answer = await h.call('POST', path, { mongoQuery });
  t.equal(answer.status, 200);
  // 30..39, and of the others each fourth, but for the first
  t.equal(answer.json.matchedEndpointsCount, 17);
  const same = await h.call('POST', '/endpoints/search', { applicationName: 'kettle', query: mongoQuery });
  t.equal(same.json.totalElements, 17, 'as a search finds');
  t.same(answer.json.sample, same.json.content.slice(0, 10), 'ten, the newest first');
  t.same(answer.json.explain, {
    endpoints: 40,
    read: { by: ['lists:application'], records: 40, entries: 40 },
    conditions: [
      {
        path: '/application_version',
        condition: { application_version: 'kettle-v1' },
        letsThrough: 40,
        selectivity: 1,
        index: 'lists:version',
      },
      {
        path: '/$or/0/metadata',
        condition: temp({ $gte: 30 }),
        letsThrough: 10,
        selectivity: 0.25,
        index: null,
      },
      {
        path: '/$or/1/metadata',
        condition: { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } },
        letsThrough: 10,
        selectivity: 0.25,
        index: null,
      },
      {
        path: '/$nor/0/$and/0/metadata',
        condition: temp({ $lt: 4 }),
        letsThrough: 4,
        selectivity: 0.1,
        index: null,
      },
      {
        path: '/$nor/0/$and/1/endpoint_id',
        condition: { endpoint_id: { $ne: 'k1' } },
        letsThrough: 39,
        selectivity: 0.975,
        index: null,
      },
    ],
    omittedConditions: 0,
    dependsOn: { metadataKeys: ['city', 'temp'], applicationVersion: true },
    hints: [],
  });
  t.same((await h.call('POST', path, { mongoQuery: JSON.stringify(mongoQuery) })).json, answer.json);
  t.equal((await h.call('GET', '/applications/kettle/filters')).json.totalElements, 0, 'nothing was saved');

  const full = await h.call('POST', `${path}?include=metadata,filters`, {
    mongoQuery: temp({ $gte: 20 }),
    sampleSize: 2,
  });
  t.equal(full.json.matchedEndpointsCount, 20);
  const found = await h.call('POST', '/endpoints/search', {
    applicationName: 'kettle',
    query: temp({ $gte: 20 }),
    limit: 2,
    include: ['metadata', 'filters'],
  });
  t.same(full.json.sample, found.json.content);
  t.ok(full.json.sample.every((each: { metadata: { temp: number } }) => each.metadata.temp >= 20));
  t.equal(full.json.sample.length, 2);
});

void t.test('empty queries, empty applications, no sample, very many conditions', async (t) => {
  const h = await startFleet(t);
  const all = await h.call('POST', path, { mongoQuery: {}, sampleSize: 100 });
  t.match(all.json, { matchedEndpointsCount: 40, explain: { conditions: [] } });
  t.equal(all.json.sample.length, 40);
  const none = await h.call('POST', path, { mongoQuery: temp({ $gte: 20 }), sampleSize: 0 });
  t.match(none.json, { matchedEndpointsCount: 20, sample: [] });
  const whole = await h.call('POST', path, { mongoQuery: { metadata: { $size: 2 } } });
  t.match(whole.json, {
    matchedEndpointsCount: 40,
    explain: { dependsOn: { metadataKeys: null, applicationVersion: false } },
  });
  const unknown = await h.call('POST', path, { mongoQuery: '{"temp": 3}' });
  t.match(unknown.json, {
    matchedEndpointsCount: 0,
    explain: { hints: [{ path: '/temp', message: /no "temp".*\{"key": "temp", "value": 3\}/ }] },
  });
  const many = await h.call('POST', path, {
    mongoQuery: { $or: Array.from({ length: 130 }, (_none, i) => temp({ $eq: i })) },
  });
  t.equal(many.json.matchedEndpointsCount, 40, 'all conditions count in the whole');
  t.equal(many.json.explain.conditions.length, 100);
  t.equal(many.json.explain.omittedConditions, 30);
  for (let i = 0; i < 40; i++) await h.call('DELETE', `/endpoints/k${i}`);
  const empty = await h.call('POST', path, { mongoQuery: temp({ $gte: 0 }) });
  t.match(empty.json, {
    matchedEndpointsCount: 0,
    sample: [],
    explain: { endpoints: 0, conditions: [{ letsThrough: 0, selectivity: null }] },
  });
});

void t.test('bad previews', async (t) => {
  const h = await startFleet(t);
  const bad: [body: unknown, code: string, path: string][] = [
    [{ mongoQuery: { $and: [{ $where: '1' }] } }, 'invalid-query', '/mongoQuery/$and/0/$where'],
    [{ mongoQuery: '{' }, 'invalid-query', '/mongoQuery'],
    [{ mongoQuery: 7 }, 'invalid-body', '/mongoQuery'],
    [{}, 'invalid-body', ''],
    [{ mongoQuery: {}, sampleSize: 101 }, 'invalid-body', '/sampleSize'],
    [{ mongoQuery: {}, sampleSize: -1 }, 'invalid-body', '/sampleSize'],
    [{ mongoQuery: {}, name: 'x' }, 'invalid-body', '/name'],
  ];
  for (const [body, code, where] of bad) {
    const answer = await h.call('POST', path, body);
    t.equal(answer.status, 400, JSON.stringify(body));
    t.match(answer.json, { code, details: [{ path: where }] }, JSON.stringify(body));
  }
  const unknown = await h.call('POST', '/applications/none/filters/preview', { mongoQuery: {} });
  t.equal(unknown.json.code, 'application-not-found');
});

void t.test('only what the caller may read is shown and counted', async (t) => {
  const access = {
    ...openAccess(),
    authenticates: true,
    granted: () => new Set(['endpoint-k1', 'endpoint-k38', 'endpoint-elsewhere']),
  };
  const h = await startFleet(t, { access });
  const { json } = await h.call('POST', path, { mongoQuery: temp({ $gte: 38 }) });
  t.equal(json.matchedEndpointsCount, 1);
  t.equal(json.explain.endpoints, 2);
  t.equal(json.explain.conditions[0].letsThrough, 1);
  t.same(
    json.sample.map((each: { endpointId: string }) => each.endpointId),
    ['k38'],
  );
});
