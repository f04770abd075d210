/* eslint-disable @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { openAccess } from '../../src/security/index.js';
import { openRaw, startHarness } from './harness.js';

const kettle = { appVersion: { name: 'kettle-v1' }, metadata: { a: 1 } };
const hot = { name: 'hot', mongoQuery: { application_version: 'kettle-v1' } };
const batch = { appVersion: { name: 'kettle-v1' }, endpoints: [{ metadata: { n: 1 } }] };

void t.test('the same key answers as the first call did', async (t) => {
  const h = await startHarness(t);
  for (const [path, body, status] of [
    ['/endpoints', kettle, 201],
    ['/endpoints/batch', batch, 202],
    ['/applications/kettle/filters', hot, 201],
  ] as const) {
    const headers = { 'idempotency-key': `key of ${path}` };
    const first = await h.call('POST', path, body, headers);
    t.equal(first.status, status, first.text);
    const [again, together] = await Promise.all([1, 2].map(() => h.call('POST', path, body, headers)));
    for (const each of [again!, together!]) {
      t.equal(each.status, status);
      t.equal(each.text, first.text);
      for (const name of ['location', 'etag', 'content-type'])
        t.equal(each.headers.get(name), first.headers.get(name), name);
    }
    const moved = await h.call('POST', `/../../epr/api/v1${path}`, body, headers);
    t.equal(moved.text, first.text);
    t.match(
      moved.headers.get('location') ?? '',
      '/epr/api/v1/',
      'Location repeats the prefix of its request',
    );
    const other = await h.call('POST', path, { ...body, ...{ endpointId: 'x' } }, headers);
    t.ok([400, 409].includes(other.status), other.text);
  }
  const reused = await h.call(
    'POST',
    '/endpoints',
    { ...kettle, endpointId: 'x' },
    { 'idempotency-key': 'key of /endpoints' },
  );
  t.match([reused.status, reused.json.code], [409, 'idempotency-key-reused']);
  const elsewhere = await h.call('POST', '/endpoints/batch', batch, {
    'idempotency-key': 'key of /endpoints',
  });
  t.equal(elsewhere.json.code, 'idempotency-key-reused');
  while ((await h.call('GET', '/endpoints')).json.totalElements < 2);
  t.equal((await h.call('GET', '/endpoints')).json.totalElements, 2);
  t.equal((await h.call('GET', '/applications/kettle/filters')).json.totalElements, 1);
});

void t.test('refusals are answers, too; what may be tried again is not', async (t) => {
  const settings = { queueLimit: 0 };
  const h = await startHarness(t, { settings });
  const headers = { 'idempotency-key': 'k' };
  t.equal((await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' }, headers)).status, 429);
  settings.queueLimit = 20_000;
  t.equal((await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' }, headers)).status, 201);
  const refused = { 'idempotency-key': 'refused' };
  const taken = await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' }, refused);
  t.equal(taken.json.code, 'endpoint-exists');
  t.equal((await h.call('DELETE', '/endpoints/e1')).status, 204);
  const same = await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' }, refused);
  t.same([same.status, same.text], [taken.status, taken.text]);
  t.equal((await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' }, headers)).status, 201);
  t.equal((await h.call('GET', '/endpoints/e1')).status, 404, 'answered, and not done again');
});

void t.test('a right that comes counts under the same key', async (t) => {
  const granted = new Set(['endpoint:read', 'application:endpoint:create']);
  const h = await startHarness(t, {
    access: {
      ...openAccess(),
      authenticates: true,
      authenticate: async () => ({ tenant: 'kaa' }),
      decide: async (_caller, scope, resources) => resources.map(() => granted.has(scope)),
    },
  });
  await h.call('POST', '/endpoints', { ...kettle, endpointId: 'other' });
  const relations = [{ type: 'contains', to: 'other' }];
  const ask = () =>
    h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1', relations }, { 'idempotency-key': 'k' });
  const refused = await ask();
  t.match([refused.status, refused.json.code], [403, 'forbidden'], refused.text);
  granted.add('endpoint:update');
  const done = await ask();
  t.equal(done.status, 201, done.text);
  t.equal((await ask()).text, done.text);
});

void t.test('lists under a key take effect once', async (t) => {
  const h = await startHarness(t);
  for (const endpointId of ['e1', 'e2']) await h.call('POST', '/endpoints', { ...kettle, endpointId });
  const headers = { 'idempotency-key': 'items' };
  const etag = (await h.call('PUT', '/endpoints/e1/metadata/b', 1)).headers.get('etag');
  const items = [
    { endpointId: 'e1', set: { b: 2 }, ifMatch: etag },
    { endpointId: 'none', set: { b: 2 } },
  ];
  const first = await h.call('POST', '/endpoints/metadata/batch', items, headers);
  t.match(first.json, [{ status: 200 }, { status: 404 }]);
  const again = await h.call('POST', '/endpoints/metadata/batch', items, headers);
  t.equal(again.text, first.text, 'not 412, which doing it again would answer');
  const body = { endpointIds: ['e1', 'e2', 'e3'] };
  const deletion = { 'idempotency-key': 'deletion' };
  const deleted = await h.call('POST', '/endpoints/delete', body, deletion);
  t.same(deleted.json.deleted, ['e1', 'e2']);
  t.equal((await h.call('POST', '/endpoints/delete', body, deletion)).text, deleted.text);
  const streamed = await h.call('POST', '/endpoints/metadata/batch', '{"endpointId":"e1","set":{"a":1}}\n', {
    'idempotency-key': 'stream',
    'content-type': 'application/x-ndjson',
  });
  t.match([streamed.status, streamed.json.code], [400, 'invalid-header'], streamed.text);
  t.equal((await h.call('GET', '/endpoints')).json.totalElements, 0, 'and the connection goes on');
});

void t.test('a list of which some is to be tried again is done again', async (t) => {
  const settings = { queueLimit: 20_000 };
  const h = await startHarness(t, { settings });
  await h.call('POST', '/endpoints', { ...kettle, endpointId: 'e1' });
  settings.queueLimit = 0;
  const headers = { 'idempotency-key': 'k' };
  const items = [{ endpointId: 'e1', set: { b: 2 } }];
  const refused = await h.call('POST', '/endpoints/metadata/batch', items, headers);
  t.equal(refused.json[0].status, 429);
  settings.queueLimit = 20_000;
  t.equal((await h.call('POST', '/endpoints/metadata/batch', items, headers)).json[0].status, 200);
});

void t.test('keys that are none', async (t) => {
  const h = await startHarness(t);
  for (const key of ['', 'x'.repeat(256), 'a\tb']) {
    const answer = await h.call('POST', '/endpoints', kettle, { 'idempotency-key': key });
    t.match([answer.status, answer.json.code], [400, 'invalid-header'], key);
  }
  const raw = openRaw(t, h.gateway.port);
  const body = JSON.stringify(kettle);
  raw.send(
    `POST /api/v1/endpoints HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  t.match(await raw.until(/\}$/), /^HTTP\/1.1 400 .*two Idempotency-Key/s);
  t.equal((await h.call('GET', '/endpoints')).json.totalElements, 0);
  const search = await h.call('POST', '/endpoints/search', {}, { 'idempotency-key': 'k' });
  t.equal(search.status, 200, 'what changes nothing has no use for it');
});
