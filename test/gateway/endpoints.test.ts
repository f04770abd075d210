/* eslint-disable @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- answers are JSON of any shape */
import t from 'tap';
import { registerKettle, startHarness } from './harness.js';

void t.test('an endpoint from registration to its end', async (t) => {
  const h = await startHarness(t);
  const registered = await h.call('POST', '/endpoints', {
    appVersion: { name: 'kettle-v1' },
    endpointId: 'k~1',
    endpointToken: 'secret',
    metadata: { city: 'Kyiv' },
  });
  t.equal(registered.status, 201);
  t.same(registered.json, { token: 'secret', status: 'Inactive', endpointId: 'k~1' });
  t.equal(registered.headers.get('location'), `${h.origin}/api/v1/endpoints/k~1`);
  t.equal(registered.headers.get('cache-control'), 'no-store', 'its token is for nobody else');

  const plain = await h.call('GET', '/endpoints/k~1');
  t.match(plain.json, { endpointId: 'k~1', appVersion: { name: 'kettle-v1' } });
  t.match(plain.json.createdDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.notOk('metadata' in plain.json);
  t.notOk('filters' in plain.json);
  const full = await h.call(
    'GET',
    '/endpoints/k%7e1?include=metadata,filters&tenantId=kaa&inheritedMetadata=true',
  );
  t.match(full.json, { metadata: { city: 'Kyiv' }, filters: [] });
  const repeated = await h.call('GET', '/endpoints/k~1?include=metadata&include=filters');
  t.same(repeated.json, full.json);
  t.equal((await h.call('GET', '/endpoints/k~1?include=relations')).status, 400);

  const version = await h.call('PUT', '/endpoints/k~1/app-version', { name: 'kettle-v2' });
  t.equal(version.status, 200);
  t.equal(version.json.name, 'kettle-v2');
  t.same((await h.call('GET', '/endpoints/k~1/app-version')).json, version.json);
  t.equal(
    (await h.call('PUT', '/endpoints/k~1/app-version', { name: 'other-v1' })).json.code,
    'other-application',
  );
  t.equal((await h.call('PUT', '/endpoints/k~1/app-version', { name: 'nothing' })).status, 404);

  t.equal(
    (await h.call('POST', '/endpoints', { appVersion: { name: 'kettle-v1' }, endpointId: 'k~1' })).json.code,
    'endpoint-exists',
  );
  t.equal(
    (await h.call('POST', '/endpoints', { appVersion: { name: 'kettle-v1' }, endpointToken: 'secret' })).json
      .code,
    'token-taken',
  );
  const gone = await h.call('DELETE', '/endpoints/k~1');
  t.equal(gone.status, 204);
  t.equal(gone.text, '');
  t.equal((await h.call('DELETE', '/endpoints/k~1')).status, 404);
  t.equal((await h.call('GET', '/endpoints/k~1')).json.code, 'endpoint-not-found');
});

void t.test('registration refuses what it does not know', async (t) => {
  const h = await startHarness(t);
  const bad = await h.call('POST', '/endpoints', {
    appVersion: { name: 'kettle-v1', x: 1 },
    metadata: [],
    token: 'a',
    endpointToken: 'a+b',
  });
  t.equal(bad.status, 400);
  t.equal(bad.json.code, 'invalid-body');
  t.same(bad.json.details.map((detail: { path: string }) => detail.path).sort(), [
    '/appVersion/x',
    '/endpointToken',
    '/metadata',
    '/token',
  ]);
  t.equal(
    (await h.call('POST', '/endpoints', { appVersion: { name: 'unknown' } })).json.code,
    'application-version-not-found',
  );
  const empty = { appVersion: { name: 'kettle-v1' }, endpointId: 'empty', relations: [] };
  t.equal((await h.call('POST', '/endpoints', empty)).status, 201);
  t.equal((await h.call('DELETE', '/endpoints/empty')).status, 204);
  const made = await h.call('POST', '/endpoints', { appVersion: { name: 'kettle-v1' } });
  t.match(made.json, { token: /^.{20}$/, endpointId: /^[0-9a-f-]{36}$/ });
  t.equal((await h.call('GET', '/endpoints')).json.totalElements, 1);
});

void t.test('lists', async (t) => {
  const h = await startHarness(t);
  for (let i = 0; i < 5; i++)
    await registerKettle(h, `k${i}`, { city: i % 2 === 0 ? 'Kyiv' : 'Lviv, west', n: i });
  await h.call('POST', '/endpoints', {
    appVersion: { name: 'other-v1' },
    endpointId: 'o1',
    metadata: { text: 'Kyiv' },
  });
  const ids = async (query: string): Promise<string[]> => {
    const answer = await h.call('GET', `/endpoints?${query}`);
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json.content.map((each: { endpointId: string }) => each.endpointId);
  };
  t.same(await ids('sort=endpointId'), ['k0', 'k1', 'k2', 'k3', 'k4', 'o1']);
  t.same(await ids('sort=endpointId,desc&limit=2&offset=1'), ['k4', 'k3']);
  t.same(await ids('applicationName=other'), ['o1']);
  t.same(await ids('applicationVersionName=kettle-v1&sort=endpointId&limit=1'), ['k0']);
  t.same(await ids('endpointId=k1&endpointId=k3&sort=endpointId'), ['k1', 'k3']);
  t.same(await ids('endpointId=K[12]&regex=true&sort=endpointId'), ['k1', 'k2']);
  t.same(await ids(`metadataFilter=${encodeURIComponent('{"n":{"$gte":3}}')}&sort=endpointId`), ['k3', 'k4']);
  t.same(await ids('metadataFilter=n:2'), ['k2']);
  t.same(await ids(`metadataFilter=${encodeURIComponent('city:Lviv\\, west,n:1')}`), ['k1']);
  t.same((await ids('multiFilter=Kyiv')).sort(), ['k0', 'k2', 'k4', 'o1']);
  for (const offset of ['100', '3000000000', '9007199254740993', '9'.repeat(400)])
    t.same(await ids(`offset=${offset}`), [], offset);

  const walked: string[] = [];
  let next: string | undefined;
  do {
    const page = await h.call(
      'GET',
      `/endpoints?limit=2&include=metadata${next === undefined ? '' : `&cursor=${next}`}`,
    );
    t.equal(page.json.totalElements, 6);
    for (const each of page.json.content) {
      walked.push(each.endpointId);
      t.type(each.metadata, 'object');
    }
    next = page.json.nextCursor;
  } while (next !== undefined);
  t.same([...walked].sort(), ['k0', 'k1', 'k2', 'k3', 'k4', 'o1']);

  const cursor = (await h.call('GET', '/endpoints?limit=2')).json.nextCursor;
  for (const query of [
    'limit=0',
    'limit=10001',
    'limit=ten',
    'limit=1&limit=2',
    'offset=-1',
    `offset=-${'9'.repeat(30)}`,
    'offset=1e3',
    'sort=name',
    'regex=maybe',
    'cursor=abc',
    'cursor=',
    `cursor=${cursor}&offset=1`,
    `cursor=${cursor}&sort=endpointId`,
    `cursor=${cursor}&applicationName=kettle`,
    `cursor=${cursor}&endpointId=k1`,
    'metadataFilter=city',
    `metadataFilter=${encodeURIComponent('{"a":1,"a":2}')}`,
    'multiFilter=%zz',
    'endpointId=a&endpointId=b&regex=true',
  ]) {
    const answer = await h.call('GET', `/endpoints?${query}`);
    t.equal(answer.status, 400, query);
    t.equal(answer.json.code, 'invalid-parameter', query);
  }
  const unknown = await h.call('GET', '/endpoints?size=3');
  t.equal(unknown.json.code, 'unknown-parameter');
  t.match(unknown.json.message, /size.*limit, cursor, sort/s);
});

void t.test('a page that does not fit the socket is sent as fast as it is read', async (t) => {
  const h = await startHarness(t);
  const text = 'x'.repeat(40_000);
  for (let i = 0; i < 60; i++) await registerKettle(h, `big-${i}`, { text, n: i });
  const page = await h.call('GET', '/endpoints?include=metadata&sort=endpointId');
  t.equal(page.json.content.length, 60);
  t.ok(page.json.content.every((each: { metadata: { text: string } }) => each.metadata.text === text));
  const head = await h.call('HEAD', '/endpoints?include=metadata');
  t.equal(head.status, 200);
  t.equal(head.text, '');
});
