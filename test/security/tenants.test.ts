/** What a tenant has does not exist for another one: every route of the table is tried, so one that is added must be added here. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { WebSocket } from 'undici';
import { createCatalogue } from '../../src/model/catalogue.js';
import { createRoutes } from '../../src/gateway/routes/index.js';
import { type Answer, startHarness } from '../gateway/harness.js';
import { makeAccess, startIssuer } from './issuer.js';

const CATALOGUE = createCatalogue([
  { name: 'mine', tenant: 'a', versions: ['mine-v1'], metadataInheritance: true },
  { name: 'theirs', tenant: 'b', versions: ['theirs-v1'], metadataInheritance: true },
]);
const QUERY = { 'metadata.temp': { $gt: 1 } };

const versionOf = (name: string) => ({ appVersion: { name: `${name}-v1` } });

interface Trial {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** besides that nothing of the other tenant is in the answer */
  expect: (answer: Answer) => boolean;
}
const unknown = ({ status }: Answer): boolean => status === 404;
const empty = ({ status, text }: Answer): boolean => status === 200 && !text.includes('their');
const forbidden = ({ status }: Answer): boolean => status === 403;
const failed = (answer: Answer): boolean => answer.status === 200 && /endpoint-not-found/.test(answer.text);

void t.test('every route', async (t) => {
  const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
  const { access } = makeAccess(t, { a, b });
  const h = await startHarness(t, { access, catalogue: CATALOGUE });
  const [mine, theirs] = [await a.token(), await b.token()];
  const as =
    (token: string) =>
    (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      h.call(method, path, body, { authorization: `Bearer ${token}`, ...headers });
  const [asA, asB] = [as(mine), as(theirs)];

  for (const [ask, name] of [
    [asA, 'mine'],
    [asB, 'theirs'],
  ] as const)
    for (const n of [1, 2]) {
      const body = {
        appVersion: { name: `${name}-v1` },
        endpointId: `${name}-${n}`,
        metadata: { temp: n * 2 },
      };
      t.equal((await ask('POST', '/endpoints', body)).status, 201);
    }
  const ends = (from: string, to: string) => [{ type: 'contains', from, to }];
  t.equal((await asB('PUT', '/relations/link', ends('theirs-1', 'theirs-2'))).status, 200);
  const made = await asB('POST', '/applications/theirs/filters', { name: 'their-filter', mongoQuery: QUERY });
  t.equal(made.status, 201, made.text);
  const filterId = (made.json as { id: string }).id;
  const batch = { appVersion: { name: 'theirs-v1' }, endpoints: [{ endpointId: 'theirs-3' }] };
  const { taskId } = (await asB('POST', '/endpoints/batch', batch)).json as { taskId: string };
  const status = `/endpoints/batch/status?appName=theirs&taskId=${taskId}`;
  for (let tries = 0; tries < 200 && (await asB('GET', '/endpoints/theirs-3')).status === 404; tries++)
    await pause(10);
  t.equal((await asB('GET', status)).status, 200);

  const endpoint = '/endpoints/theirs-1';
  const filter = `/applications/theirs/filters/${filterId}`;
  const patch = { 'content-type': 'application/json-patch+json' };
  const trials: Record<string, Trial[]> = {
    registerEndpoint: [
      { path: '/endpoints', body: { appVersion: { name: 'theirs-v1' } }, expect: unknown },
      {
        path: '/endpoints',
        body: {
          appVersion: { name: 'mine-v1' },
          endpointId: 'mine-9',
          relations: [{ type: 'contains', from: 'theirs-1' }],
        },
        expect: ({ status }) => status === 404,
      },
    ],
    listEndpoints: [
      { path: '/endpoints?include=metadata', expect: empty },
      { path: '/endpoints?applicationName=theirs', expect: unknown },
      { path: '/endpoints?applicationVersionName=theirs-v1', expect: unknown },
      { path: `/endpoints?filterId=${filterId}`, expect: unknown },
      { path: '/endpoints?multiFilter=theirs', expect: empty },
      { path: '/endpoints?endpointId=theirs-1', expect: empty },
      { path: '/endpoints?tenantId=b', expect: forbidden },
    ],
    searchEndpoints: [
      { path: '/endpoints/search', body: { endpointIds: ['theirs-1'] }, expect: empty },
      { path: '/endpoints/search', body: { applicationName: 'theirs' }, expect: unknown },
      { path: '/endpoints/search', body: { query: QUERY }, expect: empty },
      { path: '/endpoints/search', body: { tenantId: 'b' }, expect: forbidden },
    ],
    getEndpoint: [{ path: endpoint, expect: unknown }],
    unregisterEndpoint: [{ path: endpoint, expect: unknown }],
    deleteEndpoints: [{ path: '/endpoints/delete', body: { endpointIds: ['theirs-1'] }, expect: failed }],
    getAppVersion: [{ path: `${endpoint}/app-version`, expect: unknown }],
    setAppVersion: [
      { path: `${endpoint}/app-version`, body: { name: 'mine-v1' }, expect: unknown },
      { path: '/endpoints/mine-1/app-version', body: { name: 'theirs-v1' }, expect: unknown },
    ],
    startBatch: [
      { path: '/endpoints/batch', body: { ...batch, endpoints: [{ endpointId: 'x-1' }] }, expect: unknown },
    ],
    getBatchStatus: [
      { path: `/endpoints/batch/status?appName=theirs&taskId=${taskId}`, expect: unknown },
      { path: `/endpoints/batch/status?appName=mine&taskId=${taskId}`, expect: unknown },
    ],
    changeMetadataBatch: [
      {
        path: '/endpoints/metadata/batch',
        body: [{ endpointId: 'theirs-1', set: { temp: 9 } }],
        expect: ({ status, text }) => status === 200 && /endpoint-not-found|404/.test(text),
      },
    ],
    getMetadata: [
      { path: `${endpoint}/metadata`, expect: unknown },
      { path: `${endpoint}/metadata?include=inherited`, expect: unknown },
    ],
    replaceMetadata: [{ path: `${endpoint}/metadata`, body: { temp: 9 }, expect: unknown }],
    patchMetadata: [
      {
        path: `${endpoint}/metadata`,
        body: [{ op: 'replace', path: '/temp', value: 9 }],
        headers: patch,
        expect: unknown,
      },
    ],
    getMetadataKeys: [{ path: `${endpoint}/metadata-keys`, expect: unknown }],
    getMetadataKey: [{ path: `${endpoint}/metadata/temp`, expect: unknown }],
    setMetadataKey: [{ path: `${endpoint}/metadata/temp`, body: 9, expect: unknown }],
    deleteMetadataKey: [{ path: `${endpoint}/metadata/temp`, expect: unknown }],
    linkEndpoints: [
      { path: '/relations/link', body: ends('mine-1', 'theirs-1'), expect: unknown },
      { path: '/relations/link', body: ends('theirs-1', 'mine-1'), expect: unknown },
    ],
    unlinkEndpoints: [{ path: '/relations/unlink', body: ends('theirs-1', 'theirs-2'), expect: unknown }],
    listRelations: [{ path: `${endpoint}/relations?relation=contains`, expect: unknown }],
    listApplications: [{ path: '/applications', expect: empty }],
    listApplicationMetadataKeys: [{ path: '/applications/theirs/metadata-keys', expect: unknown }],
    listFilters: [{ path: '/applications/theirs/filters', expect: unknown }],
    createFilter: [
      { path: '/applications/theirs/filters', body: { name: 'f', mongoQuery: QUERY }, expect: unknown },
    ],
    getFilter: [
      { path: filter, expect: unknown },
      { path: filter.replace('theirs', 'mine'), expect: unknown },
    ],
    changeFilter: [
      { path: filter, body: { name: 'f' }, expect: unknown },
      { path: filter.replace('theirs', 'mine'), body: { name: 'f' }, expect: unknown },
    ],
    deleteFilter: [
      { path: filter, expect: unknown },
      { path: filter.replace('theirs', 'mine'), expect: unknown },
    ],
    previewFilter: [
      { path: '/applications/theirs/filters/preview', body: { mongoQuery: QUERY }, expect: unknown },
    ],
    streamEvents: [
      { path: '/events?application=theirs', expect: unknown },
      { path: `/events?filterId=${filterId}`, expect: unknown },
    ],
    // for what it opens see above
    issueEventTicket: [{ path: '/events/tickets', expect: ({ status }) => status === 201 }],
    republishEvents: [
      { path: '/events/republish', body: { since: new Date().toISOString() }, expect: forbidden },
    ],
    getRepublishStatus: [{ path: '/events/republish', expect: forbidden }],
    cancelRepublish: [{ path: '/events/republish', expect: forbidden }],
  };

  const routes = createRoutes(() => ({ text: '', etag: '' })).filter(({ access }) => access !== 'public');
  t.same(
    Object.keys(trials).sort(),
    routes.map(({ operationId }) => operationId).sort(),
    'each route is tried',
  );
  const before = (await asB('GET', '/endpoints?include=metadata,filters')).json as unknown;
  for (const { operationId, method } of routes)
    for (const { path, body, headers, expect } of trials[operationId] ?? []) {
      const answered = await asA(method, path, body, headers);
      t.ok(expect(answered), `${method} ${path}: ${answered.status} ${answered.text.slice(0, 300)}`);
      t.notMatch(answered.text, /their-filter|"theirs-2"|temp":9/, path);
      const bare = await h.call(method, path, body, headers);
      t.equal(bare.status, 401, `${method} ${path} without a token`);
      const inUrl = `${path}${path.includes('?') ? '&' : '?'}access_token=${theirs}`;
      t.equal(
        (await h.call(method, inUrl, body, headers)).status,
        400,
        `${method} ${path}, a token in the URL`,
      );
    }
  t.same((await asB('GET', '/endpoints?include=metadata,filters')).json, before, 'nothing has changed');
  t.equal((await asB('GET', filter)).status, 200);
});

void t.test("names of another tenant's are answered as names that nobody has", async (t) => {
  const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
  const { access } = makeAccess(t, { a, b });
  const h = await startHarness(t, { access, catalogue: CATALOGUE });
  const authorization = `Bearer ${await a.token()}`;
  const own = await h.call(
    'POST',
    '/endpoints',
    { ...versionOf('mine'), endpointId: 'm-1' },
    { authorization },
  );
  t.equal(own.status, 201);
  const filter = { name: 'f', mongoQuery: QUERY };
  const requests: ((name: string) => [method: string, path: string, body?: unknown])[] = [
    (name) => ['POST', '/endpoints', { ...versionOf(name), endpointId: 'm-2' }],
    (name) => [
      'POST',
      '/endpoints',
      { ...versionOf(name), relations: [{ type: 'contains', from: 'nobody' }] },
    ],
    (name) => ['POST', '/endpoints/batch', { ...versionOf(name), endpoints: [{ endpointId: 'm-3' }] }],
    (name) => ['POST', '/endpoints/batch', { ...versionOf(name), endpoints: [] }],
    (name) => ['GET', `/endpoints/batch/status?appName=${name}&taskId=none`],
    (name) => ['PUT', '/endpoints/m-1/app-version', { name: `${name}-v1` }],
    (name) => ['GET', `/endpoints?applicationName=${name}`],
    (name) => ['GET', `/endpoints?applicationVersionName=${name}-v1`],
    (name) => ['GET', `/endpoints?applicationName=mine&applicationVersionName=${name}-v1`],
    (name) => ['POST', '/endpoints/search', { applicationName: name }],
    (name) => ['POST', '/endpoints/search', { applicationVersionName: `${name}-v1` }],
    (name) => ['GET', `/applications/${name}/metadata-keys`],
    (name) => ['GET', `/applications/${name}/filters`],
    (name) => ['POST', `/applications/${name}/filters`, filter],
    (name) => ['POST', `/applications/${name}/filters/preview`, { mongoQuery: QUERY }],
    (name) => ['GET', `/applications/${name}/filters/none`],
    (name) => ['PATCH', `/applications/${name}/filters/none`, filter],
    (name) => ['DELETE', `/applications/${name}/filters/none`],
    (name) => ['GET', `/events?application=${name}`],
    (name) => ['GET', `/events?application=mine&application=${name}`],
  ];
  for (const request of requests) {
    const [method, path] = request('theirs');
    const [asked, unasked] = await Promise.all(
      ['theirs', 'nobody'].map((name) => {
        const [, pathOfName, body] = request(name);
        return h.call(method, pathOfName, body, { authorization });
      }),
    );
    t.same(
      { status: asked!.status, text: asked!.text.replaceAll('theirs', 'nobody') },
      { status: unasked!.status, text: unasked!.text },
      `${method} ${path}`,
    );
    t.ok(asked!.status >= 400, `${method} ${path}: ${asked!.status}`);
  }
});

void t.test('live events: of the own tenant, and until the token expires', async (t) => {
  const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
  const { access } = makeAccess(t, { a, b });
  const h = await startHarness(t, { access, catalogue: CATALOGUE });
  const seconds = Date.now() / 1000;
  // the leeway has nearly gone by
  const short = await a.token({ exp: Math.floor(seconds) - 26 });
  const authorization = `Bearer ${short}`;
  const ticket = (await h.call('POST', '/events/tickets', undefined, { authorization })).json as {
    ticket: string;
  };
  const sse = await fetch(`${h.origin}/api/v1/events?ticket=${ticket.ticket}`);
  t.equal(sse.status, 200);
  const again = await h.call('GET', `/events?ticket=${ticket.ticket}`);
  t.equal(again.status, 401, 'a ticket is good once');
  t.equal((await h.call('GET', '/events?ticket=guess')).status, 401);
  t.equal((await h.call('GET', '/events?ticket=guess', undefined, { authorization })).status, 400);
  t.equal((await h.call('GET', '/endpoints?ticket=guess')).status, 400, 'tickets are for live events');

  const socket = new WebSocket(`${h.origin.replace('http', 'ws')}/api/v1/events`, [
    'epr-events',
    `bearer.${short}`,
  ]);
  const messages: string[] = [];
  socket.onmessage = ({ data }) => messages.push(String(data));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  await new Promise((resolve) => (socket.onopen = resolve));
  t.equal(socket.protocol, 'epr-events', 'the token is not sent back');
  for (const [issuer, name] of [
    [b, 'theirs'],
    [a, 'mine'],
  ] as const)
    await h.call(
      'POST',
      '/endpoints',
      { appVersion: { name: `${name}-v1` }, endpointId: `${name}-1` },
      { authorization: `Bearer ${await issuer.token()}` },
    );
  t.match(await closed, { code: 3000, reason: /has expired/ });
  const text = await sse.text();
  for (const all of [messages.join(), text]) {
    t.match(all, /mine-1/);
    t.notMatch(all, /theirs/);
  }
  t.match(text, /event: dropped\ndata: .*has expired/);
});

void t.test('live events and tickets end with the tenant, though the token would last', async (t) => {
  const [a, b] = [await startIssuer(t, 'a'), await startIssuer(t, 'b')];
  const { access, tenants, table } = makeAccess(t, { a, b });
  const h = await startHarness(t, { access, catalogue: CATALOGUE });
  const [ofA, ofB] = await Promise.all([a, b].map(async (issuer) => `Bearer ${await issuer.token()}`));
  const stream = async (authorization: string | undefined) => {
    const answer = await fetch(`${h.origin}/api/v1/events`, {
      headers: authorization === undefined ? {} : { authorization },
    });
    t.equal(answer.status, 200);
    return answer;
  };
  const [gone, stays] = [await stream(ofA), await stream(ofB)];
  const socket = new WebSocket(`${h.origin.replace('http', 'ws')}/api/v1/events`, [
    'epr-events',
    `bearer.${ofA!.slice(7)}`,
  ]);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.onclose = ({ code, reason }) => resolve({ code, reason });
  });
  await new Promise((resolve) => (socket.onopen = resolve));
  const { ticket } = (await h.call('POST', '/events/tickets', undefined, { authorization: ofA! })).json as {
    ticket: string;
  };

  tenants.replace({ b: table['b']! });
  t.match(await closed, { code: 3000, reason: /is not taken any more/ });
  t.match(await gone.text(), /event: dropped\ndata: .*is not taken any more/);
  t.equal((await h.call('GET', `/events?ticket=${ticket}`)).status, 401);
  t.equal((await h.call('GET', '/endpoints', undefined, { authorization: ofA! })).status, 401);

  // another issuer of the same name is another tenant's
  tenants.replace({ b: { ...table['b']!, issuer: a.url, authServerUrl: a.url } });
  t.match(await stays.text(), /event: dropped/);
});
