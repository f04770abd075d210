import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import {
  createPeerClient,
  createPeerMetrics,
  createTenantManager,
  type PeerLimits,
  TENANT_MANAGER_LIMITS,
} from '../../src/peers/index.js';
import { startTenantManager, type TenantManagerServer } from '../servers/index.js';

function make(t: Test, server: TenantManagerServer, limits: Partial<PeerLimits> = {}, path = '') {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const url = `${server.url}${path}`;
  const refused: string[] = [];
  let given = 0;
  const tokens = {
    fails: false,
    get: async () => {
      if (tokens.fails) throw new Error('client credentials of kaa: 503');
      return `token-${given++}`;
    },
    refused: (token: string) => void refused.push(token),
  };
  const client = createPeerClient(
    {
      name: 'tenant-manager',
      url,
      hasSecrets: true,
      token: tokens,
      limits: { ...TENANT_MANAGER_LIMITS, retryFirstMs: 2, retryMostMs: 5, ...limits },
    },
    { log, metrics: createPeerMetrics(new Registry()) },
  );
  t.teardown(() => client.close());
  return { manager: createTenantManager(client, { url }), tokens, refused, lines, client };
}

const ISSUER = 'https://auth.example.org/realms';

void t.test('tenants that are available, all of them, with a token', async (t) => {
  const server = await startTenantManager(t, {
    acme: { issuer: `${ISSUER}/acme` },
    bolt: { issuer: `${ISSUER}/bolt`, client_backend_id: 'b-1', client_backend_secret: null },
    late: { issuer: `${ISSUER}/late`, status: 'CREATING' },
    // of a tenant that is not available, nothing matters
    odd: { issuer: 'file:///etc/passwd', status: 'DELETING' },
  });
  for (let n = 0; n < 100; n++) server.tenants[`t-${n}`] = { issuer: `${ISSUER}/t-${n}` };
  const { manager } = make(t, server);
  const read = await manager.read('c-1');
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  t.equal(read.value.tenants.length, 102, 'more than one page of them');
  t.same(read.value.tenants.slice(0, 2), [
    { id: 'acme', issuer: `${ISSUER}/acme`, clientId: 'epr', clientSecret: 'secret-of-acme' },
    { id: 'bolt', issuer: `${ISSUER}/bolt`, clientId: 'b-1' },
  ]);
  t.same([...read.value.faulty], []);
  t.same(read.value.problems, []);
  t.same(server.asked, [
    { url: '/api/v1/tenants?limit=0', authorization: 'Bearer token-0', correlationId: 'c-1' },
  ]);
});

void t.test(
  'what can not be read of one tenant is no fault of the others, and is named without secrets',
  async (t) => {
    const long = `https://auth.example.org/${'a'.repeat(3000)}`;
    const bad: [string, unknown, RegExp][] = [
      ['file-scheme', 'file:///etc/passwd', /no http or https URL/],
      ['script-scheme', 'javascript:alert(1)', /no http or https URL/],
      ['userinfo', 'https://auth.example.org@evil.example/realms/a', /has a user in it/],
      ['empty-user', 'https://@evil.example/realms/a', /has a user in it/],
      ['password', 'https://u:p@evil.example/realms/a', /has a user in it/],
      ['long', long, /more than 2048/],
      ['query', 'https://auth.example.org/realms/a?x=1', /has \?, # or/],
      ['fragment', 'https://auth.example.org/realms/a#x', /has \?, # or/],
      ['backslash', 'https://auth.example.org\\realms', /no host|has \?, # or/],
      ['dots', 'https://auth.example.org/realms/../admin', /segment/],
      ['coded-dots', 'https://auth.example.org/realms/%2E./admin', /segment/],
      ['line', 'https://auth.example.org/\r\nX: y', /no http or https URL/],
      ['space', 'https://auth.example.org/a b', /no http or https URL/],
      ['policy', 'https://a;script-src/realms/a', /no host/],
      ['not-ascii', 'https://auth.example.org/realms/ä', /no http or https URL/],
      ['no-host', 'https://', /no http or https URL/],
      ['number', 5, /is no text/],
      ['nothing', null, /is no text/],
    ];
    const server = await startTenantManager(t, { good: { issuer: `${ISSUER}/good` } });
    for (const [id, issuer] of bad) server.tenants[id] = { issuer };
    server.tenants['no-client'] = { issuer: `${ISSUER}/no-client`, client_backend_id: undefined };
    server.tenants['object'] = { issuer: `${ISSUER}/object`, client_backend_secret: { $ne: 1 } };
    server.more = [{ issuer: `${ISSUER}/x` }, { id: 'a"b', issuer: `${ISSUER}/x` }, { id: 'x'.repeat(200) }];
    const { manager, lines } = make(t, server);
    const read = await manager.read('c');
    if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
    const { tenants, faulty, problems } = read.value;
    t.same(
      tenants.map(({ id }) => id),
      ['good'],
    );
    t.same([...faulty].sort(), [...bad.map(([id]) => id), 'no-client', 'object'].sort());
    for (const [id, , why] of bad)
      t.match(
        problems.find((each) => each.startsWith(`tenant ${id}: `)),
        why,
        id,
      );
    t.equal(problems.length, bad.length + 5);
    t.notMatch(problems.join() + lines.join(), /secret-of|u:p@/);
  },
);

void t.test('an issuer, or an id, that is there twice: it is of nobody', async (t) => {
  const shared = { issuer: `${ISSUER}/shared` };
  const server = await startTenantManager(t, {
    a: shared,
    b: shared,
    c: shared,
    own: { issuer: `${ISSUER}/own` },
  });
  server.more = [
    { id: 'own', issuer: `${ISSUER}/other`, client_backend_id: 'x', status: 'AVAILABLE' },
    { id: 'late', issuer: `${ISSUER}/late`, client_backend_id: 'x', status: 'AVAILABLE' },
  ];
  const { manager } = make(t, server);
  const read = await manager.read('c');
  if (read.kind !== 'ok') throw new Error(JSON.stringify(read));
  t.same(
    read.value.tenants.map(({ id }) => id),
    ['late'],
  );
  t.same([...read.value.faulty].sort(), ['a', 'b', 'c', 'own']);
});

void t.test('what it was before is not read once more', async (t) => {
  const server = await startTenantManager(t, { a: { issuer: `${ISSUER}/a` } });
  const { manager } = make(t, server);
  const read = async () => {
    const answer = await manager.read('c');
    return answer.kind === 'ok' ? answer.value : undefined;
  };
  const first = await read();
  t.equal(await read(), first);
  server.tenants['a'] = { issuer: `${ISSUER}/b` };
  const second = await read();
  t.equal(second?.tenants[0]?.issuer, `${ISSUER}/b`);
  server.answer = (response) => void response.end('{}');
  t.equal(await read(), undefined);
  server.answer = undefined;
  t.equal(await read(), second);
});

void t.test('what is no list of tenants', async (t) => {
  const server = await startTenantManager(t, { a: { issuer: `${ISSUER}/a` } });
  const { manager, lines } = make(t, server, { maxAnswerBytes: 2 * 1024 * 1024 });
  const row = '{"id":"a","status":"CREATING"}';
  for (const [body, why] of [
    ['<html>secret-of-a</html>', /is no JSON|not JSON|JSON/i],
    ['', /JSON/i],
    ['[]', /At \//],
    ['{}', /\/results/],
    ['{"results":null}', /\/results/],
    ['{"results":["a"]}', /\/results\/0/],
    ['{"count":2,"results":[{"id":"a"}]}', /says that there are 2, and has 1/],
    ['{"results":[],"results":[]}', /twice|duplicate/i],
    [
      `{"results":[${Array.from({ length: 20_001 }, () => row).join()}]}`,
      /has 20001 tenants, more than 20000/,
    ],
    [`{"results":[],"x":"${'a'.repeat(3 * 1024 * 1024)}"}`, /more than 2097152 bytes/],
    [`${'['.repeat(1000)}${']'.repeat(1000)}`, /deep|nest/i],
  ] as const) {
    server.answer = (response) => void response.end(body);
    const read = await manager.read('c');
    t.match(read, { kind: 'malformed' }, body.slice(0, 60));
    t.match((read as { message: string }).message, why);
  }
  t.notMatch(lines.join(), /secret-of/);
});

void t.test('a token that is refused is renewed once; what is refused still says the remedy', async (t) => {
  const server = await startTenantManager(t, { a: { issuer: `${ISSUER}/a` } });
  const below = make(t, server, {}, '/base/');
  t.match(await below.manager.read('c'), {
    kind: 'refused',
    status: 404,
    message: /\/base\/api\/v1\/tenants/,
  });
  below.tokens.fails = true;
  t.match(await below.manager.read('c'), {
    kind: 'unavailable',
    cause: 'no-token',
    message: /client credentials of kaa: 503/,
  });
  t.same(below.refused, []);

  const { manager, refused } = make(t, server);
  server.knows = (token) => token !== 'token-0';
  t.match(await manager.read('c'), { kind: 'ok' });
  t.same(refused, ['token-0']);
  server.knows = () => false;
  t.match(await manager.read('c'), {
    kind: 'refused',
    status: 401,
    message: /kaa:tenant:read on kaa-system/,
  });
  t.equal(refused.length, 3, 'asked twice, not for ever');
  server.knows = () => true;
  server.takes = () => false;
  t.match(await manager.read('c'), {
    kind: 'refused',
    status: 403,
    message: /kaa:tenant:read on kaa-system/,
  });
});

void t.test('away, failing, hanging', async (t) => {
  const server = await startTenantManager(t, { a: { issuer: `${ISSUER}/a` } });
  const { manager, lines } = make(t, server, { attemptMs: 100, callMs: 250 });
  for (const status of [500, 502, 503, 429]) {
    server.answer = (response) => void response.writeHead(status).end('secret-of-a');
    t.match(await manager.read('c'), {
      kind: 'unavailable',
      message: new RegExp(`${server.url}.*: ${status}`),
    });
  }
  server.answer = () => undefined;
  t.match(await manager.read('c'), { kind: 'unavailable', cause: 'timeout' });
  server.answer = (response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write('{"results":[');
  };
  t.match(await manager.read('c'), { kind: 'unavailable', cause: 'timeout' }, 'one that drips');
  server.answer = (response) => void response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
  t.match(await manager.read('c'), { kind: 'refused', status: 302 }, 'not followed');
  await server.away();
  t.match(await manager.read('c'), { kind: 'unavailable', cause: 'unreachable' });
  const stop = new AbortController();
  stop.abort();
  t.match(await manager.read('c', stop.signal), { kind: 'unavailable', cause: 'cancelled' });
  server.answer = undefined;
  await server.back();
  t.match(await manager.read('c'), { kind: 'ok' });
  t.notMatch(lines.join(), /secret-of/);
});
