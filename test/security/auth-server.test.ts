import { Type } from '@sinclair/typebox';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { createPeerClient, createPeerMetrics } from '../../src/peers/index.js';
import { createAuthServers, createConfiguredTenants } from '../../src/security/index.js';
import { answer, type Asked, startPeerServer } from '../peers/support.js';

const PUBLIC = 'https://auth.example.org/auth/realms/acme';
const Keys = Type.Object({ keys: Type.Array(Type.Unknown()) });

function connectedServers(t: Test) {
  const servers = createAuthServers({
    connect: (options) =>
      createPeerClient(options, {
        log: pino({ level: 'silent' }),
        metrics: createPeerMetrics(new Registry()),
      }),
  });
  t.teardown(() => servers.close());
  return servers;
}

/** An auth server that names its endpoints under `named`. */
async function start(t: Test, named: (url: string) => string) {
  const server = await startPeerServer(t, (response, asked) => {
    const own = named(`${server.url}/realms/acme`);
    const documents: Record<string, unknown> = {
      '/realms/acme/.well-known/openid-configuration': {
        issuer: own,
        jwks_uri: `${own}/protocol/openid-connect/certs`,
        token_endpoint: `${own}/protocol/openid-connect/token`,
      },
      '/realms/acme/.well-known/uma2-configuration': {
        issuer: own,
        resource_registration_endpoint: `${own}/authz/protection/resource_set`,
      },
      '/realms/acme/protocol/openid-connect/certs': { keys: [] },
      '/realms/acme/protocol/openid-connect/token': { result: true },
      '/realms/acme/authz/protection/resource_set/r1': {},
    };
    const body = documents[asked.url.split('?')[0]!];
    answer(body === undefined ? 404 : 200, body ?? {})(response, asked);
  });
  const servers = connectedServers(t);
  const of = { name: 'acme', issuer: PUBLIC, authServerUrl: `${server.url}/realms/acme` };
  return { server, servers, of };
}

const pathsOf = (asked: readonly Asked[]) => asked.map(({ url }) => url.replace('/realms/acme', ''));

for (const [title, named] of [
  ['its public address', () => PUBLIC],
  ['the address by which it was asked', (url: string) => url],
] as const) {
  void t.test(`endpoints named by ${title} are asked where this service reaches them`, async (t) => {
    const { server, servers, of } = await start(t, named);
    const authServer = servers.of(of);
    const both = [1, 2].map(() => authServer.ask('keys', { method: 'GET', answer: Keys }));
    t.match(await Promise.all(both), [{ kind: 'ok', value: { keys: [] } }, { kind: 'ok' }]);
    t.match(
      await authServer.ask('token', {
        method: 'POST',
        authorization: 'Bearer caller',
        form: [
          ['permission', 'endpoint-a&b#endpoint:read'],
          ['permission', 'endpoint-c#endpoint:read'],
        ],
        answer: Type.Object({ result: Type.Boolean() }),
      }),
      { kind: 'ok', value: { result: true } },
    );
    t.match(await authServer.ask('resources', { method: 'DELETE', path: ['r1'], answer: Type.Unknown() }), {
      kind: 'ok',
    });
    t.same(pathsOf(server.asked), [
      '/.well-known/openid-configuration',
      '/protocol/openid-connect/certs',
      '/protocol/openid-connect/certs',
      '/protocol/openid-connect/token',
      '/.well-known/uma2-configuration',
      '/authz/protection/resource_set/r1',
    ]);
    const asked = server.asked[3]!;
    t.equal(asked.headers['content-type'], 'application/x-www-form-urlencoded');
    t.equal(asked.headers.authorization, 'Bearer caller');
    t.equal(
      asked.body,
      'permission=endpoint-a%26b%23endpoint%3Aread&permission=endpoint-c%23endpoint%3Aread',
    );
  });
}

void t.test('a discovery of another issuer is not believed', async (t) => {
  const { servers, of, server } = await start(t, () => `${PUBLIC}x`);
  const answered = await servers.of(of).ask('keys', { method: 'GET', answer: Keys });
  t.match(answered, { kind: 'malformed', message: /of the issuer "https:.*acmex", not of/ });
  t.same(pathsOf(server.asked), ['/.well-known/openid-configuration']);
});

void t.test('a discovery that names no address is malformed', async (t) => {
  // an address whose path is no text must not end the process
  for (const path of ['%zz', '%ff', '%E0%A4%A']) {
    const server = await startPeerServer(t, (response, asked) =>
      answer(200, { issuer: PUBLIC, jwks_uri: `${server.url}/${path}`, keys: [] })(response, asked),
    );
    const { servers, of } = await start(t, () => PUBLIC);
    for (const authServerUrl of [server.url, `${server.url}/${path}`]) {
      const authServer = servers.of({ ...of, authServerUrl });
      const answered = await authServer.ask('keys', { method: 'GET', answer: Keys });
      t.match(answered, { kind: 'malformed', message: /no address can be/ });
    }
  }
  for (const uri of ['javascript:alert(1)', 'http://u:p@auth.example.org/', 'file:///etc/passwd', '/certs']) {
    const server = await startPeerServer(t, answer(200, { issuer: PUBLIC, jwks_uri: uri }));
    const { servers, of } = await start(t, () => PUBLIC);
    const answered = await servers
      .of({ ...of, authServerUrl: server.url })
      .ask('keys', { method: 'GET', answer: Keys });
    t.match(answered, { kind: 'malformed', message: /jwks_uri is no address/ });
  }
});

void t.test('a tenant that does not change stays the same object, and so does its auth server', async (t) => {
  const table = {
    acme: { issuer: PUBLIC, authServerUrl: PUBLIC },
    kaa: { issuer: 'http://k', authServerUrl: 'http://k' },
  };
  const tenants = createConfiguredTenants(table);
  const [acme, kaa] = [tenants.byName('acme')!, tenants.byName('kaa')!];
  const servers = createAuthServers({ connect: () => t.fail('nothing is asked') as never });
  const server = servers.of(acme);
  tenants.replace({ acme: { ...table.acme, clientSecret: 'new' }, kaa: { ...table.kaa } });
  t.equal(tenants.byName('kaa'), kaa);
  t.match(tenants.byIssuer(PUBLIC), { name: 'acme', clientId: 'epr', clientSecret: 'new' });
  t.equal(servers.of(tenants.byName('acme')!), server, 'what it is reached by is the same');
  tenants.replace({ acme: { ...table.acme, authServerUrl: 'http://elsewhere' } });
  t.not(servers.of(tenants.byName('acme')!), server);
  t.equal(tenants.byIssuer('http://k'), undefined);
  t.equal(tenants.byName('constructor'), undefined);
});

void t.test('an auth server that is not to be trusted with where its parts are', async (t) => {
  const inside = await startPeerServer(t, answer(200, { keys: [], result: true }));
  const issuer = 'https://login.example.net/acme';
  let keysAt = '';
  const server = await startPeerServer(t, (response, asked) => {
    const named = { issuer, jwks_uri: keysAt, token_endpoint: `${inside.url}/latest/meta-data` };
    answer(200, asked.url.includes('.well-known') ? named : { keys: [] })(response, asked);
  });
  const servers = connectedServers(t);
  const authServer = servers.of({ name: 'acme', issuer, authServerUrl: server.url, ownOriginOnly: true });
  const ask = () => authServer.ask('keys', { method: 'GET', answer: Keys });
  for (const url of [
    inside.url,
    server.url.replace('127.0.0.1', 'localhost'),
    'https://login.example.net.evil/k',
  ]) {
    keysAt = `${url}/keys`;
    t.match(
      await ask(),
      { kind: 'malformed', message: /jwks_uri is of another server than the issuer/ },
      url,
    );
  }
  keysAt = `${issuer}/keys`;
  t.match(await ask(), { kind: 'malformed', message: /token_endpoint is of another server/ });
  t.equal(inside.asked.length, 0);
});
