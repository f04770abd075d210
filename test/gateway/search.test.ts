/* eslint-disable @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-return -- answers are JSON of any shape */
import t from 'tap';
import { openAccess } from '../../src/security/index.js';
import { type Harness, registerKettle, startHarness } from './harness.js';

async function startFleet(t: Parameters<typeof startHarness>[0], options = {}): Promise<Harness> {
  const h = await startHarness(t, options);
  for (let i = 0; i < 5; i++)
    await registerKettle(h, `k${i}`, { city: i % 2 === 0 ? 'Kyiv' : 'Lviv, west', n: i });
  await h.call('POST', '/endpoints', {
    appVersion: { name: 'other-v1' },
    endpointId: 'o1',
    metadata: { text: 'Kyiv', n: '2' },
  });
  return h;
}

void t.test('the list parameters in a body', async (t) => {
  const h = await startFleet(t);
  const ids = async (body: object, query = ''): Promise<string[]> => {
    const answer = await h.call('POST', `/endpoints/search${query}`, { sort: 'endpointId', ...body });
    if (answer.status !== 200) throw new Error(answer.text);
    t.equal(answer.json.totalElements >= answer.json.content.length, true);
    return answer.json.content.map((each: { endpointId: string }) => each.endpointId);
  };
  t.same(await ids({}), ['k0', 'k1', 'k2', 'k3', 'k4', 'o1']);
  t.same(await ids({ sort: 'endpointId,desc', limit: 2, offset: 1 }), ['k4', 'k3']);
  t.same(await ids({ limit: '2', offset: '1' }), ['k1', 'k2'], 'numbers as texts');
  t.same(await ids({ offset: 1e300 }), []);
  t.same(await ids({ offset: '9'.repeat(400) }), []);
  t.same(await ids({ applicationName: 'other' }), ['o1']);
  t.same(await ids({ applicationVersionName: 'kettle-v1', limit: 1 }), ['k0']);
  t.same(await ids({ endpointIds: ['k3', 'k1', 'nobody'] }), ['k1', 'k3']);
  t.same(await ids({ endpointIds: [] }), []);
  t.same(await ids({ endpointId: 'k3' }), ['k3']);
  t.same(await ids({ endpointId: 'K[12]', regex: true }), ['k1', 'k2']);
  t.same(await ids({ endpointIds: ['K[12]'], regex: 'true' }), ['k1', 'k2']);
  t.same(await ids({ endpointIds: ['k1', 'k2'], regex: 'false' }), ['k1', 'k2']);
  t.same(await ids({ metadataFilter: { n: { $gte: 3 } } }), ['k3', 'k4']);
  t.same(await ids({ metadataFilter: '{"n":{"$gte":3}}' }), ['k3', 'k4']);
  t.same(await ids({ metadataFilter: { n: 2 } }), ['k2'], 'a number is that number');
  t.same(await ids({ metadataFilter: 'n:2' }), ['k2', 'o1'], 'and a text form is number and text');
  t.same(await ids({ metadataFilter: { city: '^ky' }, regex: true }), ['k0', 'k2', 'k4']);
  t.same(await ids({ multiFilter: 'Kyiv' }), ['k0', 'k2', 'k4', 'o1']);
  t.same(await ids({ tenantId: 'nobody' }), []);
  t.same(await ids({}, '?tenantId=nobody'), [], 'older clients give it in the query');
  const hot = { metadata: { $elemMatch: { key: 'n', value: { $gte: 1 } } } };
  t.same(await ids({ query: hot }), ['k1', 'k2', 'k3', 'k4']);
  t.same(await ids({ query: JSON.stringify(hot), metadataFilter: { city: 'Kyiv' } }), ['k2', 'k4']);
  t.same(await ids({ query: { endpoint_id: { $in: ['k1', 'o1'] } }, applicationName: 'other' }), ['o1']);

  const filter = await h.call('POST', '/applications/kettle/filters', { name: 'hot', mongoQuery: hot });
  let status = filter.json.status;
  while (status !== 'active')
    status = (await h.call('GET', `/applications/kettle/filters/${filter.json.id}`)).json.status;
  t.same(await ids({ filterId: filter.json.id, metadataFilter: { city: 'Kyiv' } }), ['k2', 'k4']);
  for (const [name, code] of [
    ['applicationName', 'application-not-found'],
    ['applicationVersionName', 'application-version-not-found'],
    ['filterId', 'filter-not-found'],
  ] as const) {
    for (const answer of [
      await h.call('POST', '/endpoints/search', { [name]: 'none' }),
      await h.call('GET', `/endpoints?${name}=none`),
    ]) {
      t.equal(answer.status, 404, name);
      t.equal(answer.json.code, code);
    }
  }
  t.same(
    await ids({ applicationName: 'other', applicationVersionName: 'kettle-v1' }),
    [],
    'what is known and has nothing in common is empty',
  );

  const full = await h.call('POST', '/endpoints/search', {
    endpointId: 'k1',
    include: ['metadata', 'filters'],
  });
  t.match(full.json.content, [{ metadata: { city: 'Lviv, west', n: 1 }, filters: [filter.json.id] }]);
  for (const same of [{ include: 'metadata,filters' }, { include: ['metadata,filters'] }])
    t.same((await h.call('POST', '/endpoints/search', { endpointId: 'k1', ...same })).json, full.json);
  const older = await h.call('POST', '/endpoints/search?include=metadata', { endpointId: 'k1' });
  t.same(older.json.content[0].metadata, { city: 'Lviv, west', n: 1 });
  const plain = (await h.call('POST', '/endpoints/search', { endpointId: 'k1' })).json.content[0];
  t.notOk('metadata' in plain || 'filters' in plain);
});

void t.test('a search is read by cursor, with the filters that it began with', async (t) => {
  const h = await startFleet(t);
  const wanted = { query: { application_version: 'kettle-v1' }, metadataFilter: { n: { $lt: 4 } } };
  const walked: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await h.call('POST', '/endpoints/search', { ...wanted, limit: 2, cursor });
    t.equal(page.json.totalElements, 4);
    walked.push(...page.json.content.map((each: { endpointId: string }) => each.endpointId));
    cursor = page.json.nextCursor;
  } while (cursor !== undefined);
  t.same(walked.sort(), ['k0', 'k1', 'k2', 'k3']);
  const first = (await h.call('POST', '/endpoints/search', { ...wanted, limit: 2 })).json.nextCursor;
  const other = await h.call('POST', '/endpoints/search', { ...wanted, query: {}, cursor: first });
  t.match(other.json, { code: 'invalid-body', message: /other filters/ });
  const list = (await h.call('GET', '/endpoints?limit=2&applicationName=kettle')).json.nextCursor;
  const goesOn = await h.call('POST', '/endpoints/search', { applicationName: 'kettle', cursor: list });
  t.equal(goesOn.json.content.length, 3, 'the same filters are the same list, however they are given');
});

void t.test('a search says all that is wrong with it, and where', async (t) => {
  const h = await startFleet(t);
  const bad: [body: unknown, code: string, path: string][] = [
    [{ size: 3 }, 'invalid-body', '/size'],
    [{ limit: 0 }, 'invalid-body', '/limit'],
    [{ limit: '0' }, 'invalid-body', '/limit'],
    [{ limit: 1.5 }, 'invalid-body', '/limit'],
    [{ limit: 10_001 }, 'invalid-body', '/limit'],
    [{ offset: -1 }, 'invalid-body', '/offset'],
    [{ offset: '1e3' }, 'invalid-body', '/offset'],
    [{ regex: 'maybe' }, 'invalid-body', '/regex'],
    [{ sort: 'name' }, 'invalid-body', '/sort'],
    [{ include: ['relations'] }, 'invalid-body', '/include'],
    [{ endpointId: 'a', endpointIds: ['a'] }, 'invalid-body', '/endpointId'],
    [{ endpointIds: ['a', 'b'], regex: true }, 'invalid-body', '/endpointIds'],
    [{ endpointIds: [], regex: true }, 'invalid-body', '/endpointIds'],
    [{ endpointId: '(', regex: true }, 'invalid-body', '/endpointId'],
    [{ multiFilter: '[', regex: true }, 'invalid-body', '/multiFilter'],
    [{ metadataFilter: { a: { $where: 1 } } }, 'invalid-body', '/metadataFilter'],
    [{ query: { $where: '1' } }, 'invalid-query', '/query/$where'],
    [{ query: { $or: [{ endpoint_id: { $foo: 1 } }] } }, 'invalid-query', '/query/$or/0/endpoint_id/$foo'],
    [{ query: '{' }, 'invalid-query', '/query'],
    [{ query: [] }, 'invalid-body', '/query'],
    [{ query: { endpoint_id: { $regex: 'x'.repeat(1025) } } }, 'invalid-query', '/query/endpoint_id/$regex'],
  ];
  for (const [body, code, path] of bad) {
    const answer = await h.call('POST', '/endpoints/search', body);
    t.equal(answer.status, 400, JSON.stringify(body));
    t.equal(answer.json.code, code, JSON.stringify(body));
    t.equal(answer.json.details[0].path, path, answer.text);
  }
  for (const body of [{ metadataFilter: 'city' }, { cursor: 'abc' }, [], 'x'])
    t.equal((await h.call('POST', '/endpoints/search', body)).status, 400);
  const both = await h.call('POST', '/endpoints/search', { multiFilter: '[', regex: true, query: { $x: 1 } });
  t.same(
    both.json.details.map((detail: { path: string }) => detail.path).sort(),
    ['/multiFilter', '/query/$x'],
    'all at once',
  );
});

void t.test('a search shows only what the caller may read', async (t) => {
  const access = {
    ...openAccess(),
    authenticates: true,
    granted: () => new Set(['k0', 'k1', 'k3', 'k4'].map((id) => `endpoint-${id}`)),
  };
  const h = await startFleet(t, { access });
  const { json } = await h.call('POST', '/endpoints/search', { metadataFilter: { city: 'Kyiv' } });
  t.same(json.content.map((each: { endpointId: string }) => each.endpointId).sort(), ['k0', 'k4']);
  t.equal(json.totalElements, 2);
  const named = await h.call('POST', '/endpoints/search', { endpointIds: ['k2', 'k1'] });
  t.same(
    named.json.content.map((each: { endpointId: string }) => each.endpointId),
    ['k1'],
  );
  const pages = [await h.call('GET', '/endpoints?limit=3&sort=endpointId,asc')];
  pages.push(
    await h.call('GET', `/endpoints?limit=3&sort=endpointId,asc&cursor=${pages[0]!.json.nextCursor}`),
  );
  t.same(
    pages.map(({ json: page }) => [page.totalElements, page.content.length]),
    [
      [4, 3],
      [4, 1],
    ],
  );
});
