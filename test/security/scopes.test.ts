/** Each route needs its scope, on its resource: every row of the table is tried, so one that is added must be added here. */
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { createGatewayMetrics } from '../../src/gateway/gateway-metrics.js';
import { prepareRoutes } from '../../src/gateway/prepared-route.js';
import { createRoutes } from '../../src/gateway/routes/index.js';
import { replyJson } from '../../src/gateway/table/reply.js';
import { defineRoute, type Route } from '../../src/gateway/table/route.js';
import { createCatalogue } from '../../src/model/catalogue.js';
import { type Scope, SCOPES } from '../../src/model/scopes.js';
import { type Answer, startHarness } from '../gateway/harness.js';
import { answer } from '../peers/support.js';
import { makeAccess, startIssuer } from './issuer.js';

const CATALOGUE = createCatalogue([
  { name: 'demo', tenant: 'kaa', versions: ['demo-v1', 'demo-v2'], metadataInheritance: true },
  { name: 'other', tenant: 'kaa', versions: ['other-v1'], metadataInheritance: false },
]);
const QUERY = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 1 } } } };
const routes = createRoutes(() => ({ text: '', etag: '' }));

interface Trial {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** those on which the scope of the route is needed */
  on: string[];
  /** how it is told that the scope is not there; 403 unless given */
  denies?: (answer: Answer) => boolean;
}

const isForbidden = ({ status, text }: Answer): boolean => status === 403 && text.includes('"forbidden"');
const isEmpty = ({ status, text }: Answer): boolean => status === 200 && text.includes('"totalElements":0');
/** each item by itself */
const areDenied = ({ status, text }: Answer): boolean =>
  status === 200 && text.includes('"forbidden"') && !/"status":200|"deleted":\["/.test(text);

/** A gateway with some endpoints; all that follows is done by who the tokens say. */
async function start(t: Test) {
  const issuer = await startIssuer(t, 'kaa');
  const all = [...SCOPES];
  const roleGrants = {
    all,
    ...Object.fromEntries(all.map((scope) => [`only ${scope}`, [scope]])),
    ...Object.fromEntries(all.map((scope) => [`no ${scope}`, all.filter((each) => each !== scope)])),
  };
  const { access } = makeAccess(t, { kaa: issuer }, { roleGrants, clientId: 'epr' });
  const h = await startHarness(t, { access, catalogue: CATALOGUE });
  const withToken = (token: string) => async (method: string, trial: Omit<Trial, 'on'>) => {
    const { path, body, headers } = trial;
    const authorization = `Bearer ${token}`;
    if (!path.startsWith('/events?')) return h.call(method, path, body, { authorization, ...headers });
    // what is granted goes on for ever
    const response = await fetch(`${h.origin}/api/v1${path}`, { headers: { authorization } });
    if (response.status === 200) await response.body?.cancel();
    const text = response.status === 200 ? '' : await response.text();
    return { status: response.status, headers: response.headers, text, json: undefined } satisfies Answer;
  };
  const withRole = async (...roles: string[]) => withToken(await issuer.token({ realm_access: { roles } }));
  const withPermissions = async (permissions: { rsname: string; scopes: string[] }[]) =>
    withToken(
      await issuer.token({ aud: 'epr', realm_access: { roles: [] }, authorization: { permissions } }),
    );
  const ask = await withRole('all');
  for (const endpointId of ['a', 'b']) {
    const body = { appVersion: { name: 'demo-v1' }, endpointId, metadata: { temp: 2 } };
    t.equal((await ask('POST', { path: '/endpoints', body })).status, 201);
  }
  const link = [{ type: 'contains', from: 'a', to: 'b' }];
  await ask('PUT', { path: '/relations/link', body: link });
  const filters = '/applications/demo/filters';
  const made = await ask('POST', { path: filters, body: { name: 'f', mongoQuery: QUERY } });
  const filter = `${filters}/${(made.json as { id: string }).id}`;
  const batch = { appVersion: { name: 'demo-v1' }, endpoints: [{}] };
  const { taskId } = (await ask('POST', { path: '/endpoints/batch', body: batch })).json as {
    taskId: string;
  };
  let names = 0;
  const fresh = () => `n-${names++}`;
  /** with new names each time, so that what was granted before stands in nobody's way */
  const trials = async (): Promise<Record<string, Trial[]>> => {
    const [doomed, doomedToo] = [fresh(), fresh()];
    for (const endpointId of [doomed, doomedToo])
      await ask('POST', { path: '/endpoints', body: { appVersion: { name: 'demo-v1' }, endpointId } });
    const spare = await ask('POST', { path: filters, body: { name: fresh(), mongoQuery: QUERY } });
    const spareFilter = `${filters}/${(spare.json as { id: string }).id}`;
    const endpoint = { on: ['endpoint-a'] };
    const demo = { on: ['application-demo'] };
    const patch = { 'content-type': 'application/json-patch+json' };
    const everywhere = ['application-demo', 'application-other'];
    return {
      registerEndpoint: [{ path: '/endpoints', body: { appVersion: { name: 'demo-v1' } }, ...demo }],
      listEndpoints: [
        { path: '/endpoints', ...endpoint, denies: isEmpty },
        { path: '/endpoints?include=metadata,filters&limit=1', ...endpoint, denies: isEmpty },
        { path: '/endpoints?endpointId=a&sort=endpointId', ...endpoint, denies: isEmpty },
        { path: '/endpoints?multiFilter=a', ...endpoint, denies: isEmpty },
      ],
      searchEndpoints: [
        { path: '/endpoints/search', body: { query: QUERY }, ...endpoint, denies: isEmpty },
        { path: '/endpoints/search', body: { endpointIds: ['a'] }, ...endpoint, denies: isEmpty },
      ],
      getEndpoint: [{ path: '/endpoints/a', ...endpoint }],
      unregisterEndpoint: [{ path: `/endpoints/${doomed}`, on: [`endpoint-${doomed}`] }],
      deleteEndpoints: [
        {
          path: '/endpoints/delete',
          body: { endpointIds: [doomedToo] },
          on: [`endpoint-${doomedToo}`],
          denies: areDenied,
        },
      ],
      getAppVersion: [{ path: '/endpoints/a/app-version', ...endpoint }],
      setAppVersion: [{ path: '/endpoints/a/app-version', body: { name: 'demo-v2' }, ...endpoint }],
      startBatch: [{ path: '/endpoints/batch', body: batch, ...demo }],
      getBatchStatus: [{ path: `/endpoints/batch/status?appName=demo&taskId=${taskId}`, ...demo }],
      changeMetadataBatch: [
        {
          path: '/endpoints/metadata/batch',
          body: [{ endpointId: 'a', set: { temp: 3 } }],
          ...endpoint,
          denies: areDenied,
        },
        {
          path: '/endpoints/metadata/batch',
          body: '{"endpointId":"a","set":{"temp":4}}\n{"endpointId":"a","unset":["x"]}\n',
          headers: { 'content-type': 'application/x-ndjson' },
          ...endpoint,
          denies: areDenied,
        },
      ],
      getMetadata: [
        { path: '/endpoints/a/metadata', ...endpoint },
        { path: '/endpoints/a/metadata?include=inherited', ...endpoint },
      ],
      replaceMetadata: [{ path: '/endpoints/a/metadata', body: { temp: 5 }, ...endpoint }],
      patchMetadata: [
        {
          path: '/endpoints/a/metadata',
          body: [{ op: 'add', path: '/temp', value: 6 }],
          headers: patch,
          ...endpoint,
        },
      ],
      getMetadataKeys: [{ path: '/endpoints/a/metadata-keys', ...endpoint }],
      getMetadataKey: [{ path: '/endpoints/a/metadata/temp', ...endpoint }],
      setMetadataKey: [{ path: '/endpoints/a/metadata/temp', body: 7, ...endpoint }],
      deleteMetadataKey: [{ path: '/endpoints/a/metadata/gone', ...endpoint }],
      linkEndpoints: [{ path: '/relations/link', body: link, on: ['endpoint-a', 'endpoint-b'] }],
      unlinkEndpoints: [
        {
          path: '/relations/unlink',
          body: [{ type: 'contains', from: 'b', to: 'a' }],
          on: ['endpoint-a', 'endpoint-b'],
        },
      ],
      listRelations: [{ path: '/endpoints/a/relations?relation=contains', on: ['endpoint-a', 'endpoint-b'] }],
      listApplications: [{ path: '/applications', ...demo, denies: isEmpty }],
      listApplicationMetadataKeys: [{ path: '/applications/demo/metadata-keys', ...demo }],
      listFilters: [{ path: filters, ...demo }],
      createFilter: [{ path: filters, body: { name: fresh(), mongoQuery: QUERY }, ...demo }],
      getFilter: [{ path: filter, ...demo }],
      changeFilter: [{ path: filter, body: { name: 'g' }, ...demo }],
      deleteFilter: [{ path: spareFilter, ...demo }],
      previewFilter: [{ path: `${filters}/preview`, body: { mongoQuery: QUERY }, ...demo }],
      streamEvents: [
        { path: '/events?type=registered', ...demo },
        { path: '/events?application=demo', ...demo },
      ],
      issueEventTicket: [{ path: '/events/tickets', ...demo }],
      republishEvents: [
        { path: '/events/republish', body: { since: new Date().toISOString() }, on: everywhere },
      ],
      getRepublishStatus: [{ path: '/events/republish', on: everywhere }],
      cancelRepublish: [{ path: '/events/republish', on: everywhere }],
    };
  };
  return { issuer, trials, withRole, withPermissions };
}

type Tried = { operationId: string; method: string; scope: Scope; trial: Trial };
const ofTable = (trials: Record<string, Trial[]>): Tried[] =>
  routes.flatMap(({ operationId, method, access }) =>
    access === 'public'
      ? []
      : (trials[operationId] ?? []).map((trial) => ({ operationId, method, scope: access.scope, trial })),
  );
const found = ({ method, scope, trial }: Tried, { status, text }: Answer): string =>
  `${scope}: ${method} ${trial.path}: ${status} ${text.slice(0, 200)}`;
/** 404 where there is nothing to be found: a key, events that were sent again */
const isLet = ({ status, text }: Answer): boolean =>
  [200, 201, 202, 204, 404].includes(status) && !/"forbidden"|"totalElements":0/.test(text);

void t.test('with all scopes but one, and with that one alone', async (t) => {
  const { trials, withRole } = await start(t);
  t.same(
    Object.keys(await trials()).sort(),
    routes.flatMap(({ access, operationId }) => (access === 'public' ? [] : [operationId])).sort(),
    'each route is tried',
  );
  for (const tried of ofTable(await trials())) {
    const { method, scope, trial } = tried;
    const lacking = await (await withRole(`no ${scope}`))(method, trial);
    t.ok((trial.denies ?? isForbidden)(lacking), `without ${found(tried, lacking)}`);
  }
  for (const tried of ofTable(await trials())) {
    const { method, scope, trial } = tried;
    const granted = await (await withRole(`only ${scope}`))(method, trial);
    t.ok(isLet(granted), found(tried, granted));
  }
});

void t.test('permissions in the token: on another resource, on this one', async (t) => {
  const { trials, withPermissions } = await start(t);
  const other = await withPermissions(
    [
      'endpoint-other',
      'endpoint-A',
      'endpoint-a ',
      'endpoint-',
      'application-other',
      'application-demo2',
    ].map((rsname) => ({ rsname, scopes: [...SCOPES] })),
  );
  for (const tried of ofTable(await trials())) {
    const { method, trial } = tried;
    const answered = await other(method, trial);
    // an application that was not asked for is another application
    if (tried.operationId === 'listApplications') t.notMatch(answered.text, 'demo');
    else if (trial.path.startsWith('/events?type') || trial.path === '/events/tickets')
      t.ok(answered.status < 300, found(tried, answered));
    else t.ok((trial.denies ?? isForbidden)(answered), `of others ${found(tried, answered)}`);
  }
  for (const tried of ofTable(await trials())) {
    const { method, scope, trial } = tried;
    const granted = await (
      await withPermissions(trial.on.map((rsname) => ({ rsname, scopes: [scope] })))
    )(method, trial);
    t.ok(isLet(granted), found(tried, granted));
  }
});

void t.test('the items of one request, one by one', async (t) => {
  const { withPermissions } = await start(t);
  const ask = await withPermissions([
    { rsname: 'endpoint-a', scopes: ['endpoint:update', 'endpoint:delete', 'endpoint:read'] },
    { rsname: 'endpoint-b', scopes: ['endpoint:read'] },
  ]);
  const set = (endpointId: string) => ({ endpointId, set: { temp: 9 } });
  const path = '/endpoints/metadata/batch';
  const items = ['a', 'b', 'none', 'a'].map(set);
  const changed = await ask('POST', { path, body: items });
  const codes = (answer: Answer) =>
    (answer.json as { status: number; code?: string }[]).map(({ status, code }) => code ?? status);
  t.same(codes(changed), [200, 'forbidden', 'endpoint-not-found', 200]);
  const lines = await ask('POST', {
    path,
    body: items.map((item) => `${JSON.stringify(item)}\n`).join(''),
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const results = lines.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { status: number; code?: string });
  t.same(
    results.map(({ status, code }) => code ?? status),
    [200, 'forbidden', 'endpoint-not-found', 200],
  );
  const linked = await ask('PUT', {
    path: '/relations/link',
    body: [{ type: 'contains', from: 'a', to: 'b' }],
  });
  t.match([linked.status, linked.json], [403, { details: [{ path: '/0/to' }] }]);
  const registered = await ask('POST', {
    path: '/endpoints',
    body: { appVersion: { name: 'demo-v1' }, relations: [{ type: 'contains', from: 'a' }] },
  });
  t.equal(registered.status, 403, 'registering is another right');
  const deleted = await ask('POST', {
    path: '/endpoints/delete',
    body: { endpointIds: ['b', 'a', 'none'] },
  });
  t.match(deleted.json, {
    deleted: ['a'],
    failed: [
      { endpointId: 'b', code: 'forbidden' },
      { endpointId: 'none', code: 'endpoint-not-found' },
    ],
  });
});

void t.test(
  'live events end while nobody can say whether they may be read, and go on afterwards',
  async (t) => {
    const issuer = await startIssuer(t, 'kaa');
    const { access } = makeAccess(t, { kaa: issuer }, { roleGrants: {}, cacheMs: 50 });
    const h = await startHarness(t, { access, catalogue: CATALOGUE, reviewMs: 50 });
    const headers = { authorization: `Bearer ${await issuer.token()}` };
    const open = (more: Record<string, string> = {}) =>
      fetch(`${h.origin}/api/v1/events?application=demo`, { headers: { ...headers, ...more } });
    t.equal((await open()).status, 403);
    const granted: ReturnType<typeof answer> = (response, asked) =>
      // a list of resources, or one decision
      answer(200, asked.body.includes('response_mode=permissions') ? [] : { result: true })(response, asked);
    issuer.decide(granted);
    let stream = await open();
    // until what was kept is too old
    while (stream.status === 403) stream = await open();
    t.equal(stream.status, 200);
    issuer.decide(answer(503, {}));
    const text = await stream.text();
    t.match(text, /event: dropped\ndata: .*did not say whether the caller may do this/);
    t.equal((await open()).status, 503);
    issuer.decide(granted);
    const id = /^id: (.*)$/m.exec(text)![1]!;
    let again = await open({ 'last-event-id': id });
    // it is left alone for a while
    while (again.status === 503) again = await open({ 'last-event-id': id });
    t.equal(again.status, 200);
    await again.body?.cancel();
  },
);

void t.test('an answer under an Idempotency-Key is for who asked', async (t) => {
  const { issuer, withRole } = await start(t);
  const trial = {
    path: '/endpoints',
    body: { appVersion: { name: 'demo-v1' }, metadata: {} },
    headers: { 'idempotency-key': 'one' },
  };
  const alice = await withRole('all');
  const first = await alice('POST', trial);
  t.equal((await alice('POST', trial)).text, first.text);
  const bob = `Bearer ${await issuer.token({ sub: 'bob', realm_access: { roles: ['all'] } })}`;
  const theirs = await alice('POST', { ...trial, headers: { ...trial.headers, authorization: bob } });
  t.equal(theirs.status, 201);
  t.not(theirs.text, first.text, 'the token of the first one is not shown to the second');
  t.equal(
    (await (await withRole('no application:endpoint:create'))('POST', trial)).status,
    403,
    'nor to the first one when the right is gone',
  );
  const deletion = { path: '/endpoints/delete', body: { endpointIds: ['a'] }, headers: trial.headers };
  const denied = await (
    await withRole('no endpoint:delete')
  )('POST', {
    ...deletion,
    headers: { 'idempotency-key': 'two' },
  });
  t.ok(areDenied(denied), denied.text);
});

void t.test('a row without a scope does not compile, and does not start', async (t) => {
  const registry = new Registry();
  const metrics = createGatewayMetrics(registry, {
    subscribers: () => 0,
    connections: () => ({ open: 0, refused: 0 }) as never,
  });
  // @ts-expect-error -- it does not say who may call it
  const unsaid = defineRoute({
    operationId: 'unsaid',
    method: 'GET',
    path: '/unsaid',
    summary: 'Open to all, since nobody thought of it',
    tags: ['Service'],
    responses: { 200: { description: 'All there is.' } },
    errors: [],
    handle: () => replyJson('{}'),
  });
  const [row] = routes.filter(({ access }) => access !== 'public');
  // @ts-expect-error -- no such scope
  const misspelt: Route = { ...row!, access: { scope: 'endpoint:write', on: 'endpoint' } };
  for (const bad of [unsaid, misspelt, { ...row!, access: undefined } as unknown as Route])
    t.throws(() => prepareRoutes([bad], metrics), /does not say which scope its callers need/);
  t.same(
    routes.filter(({ access }) => access === 'public').map(({ operationId }) => operationId),
    ['getSignIn', 'getOpenApi'],
    'open to anybody are',
  );
});
