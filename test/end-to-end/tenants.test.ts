/** Tenants from the tenant manager, on the whole service, with 21/TLE over a real NATS server. */
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { encodeTenantEvent } from '../../src/avro/index.js';
import { loadConfig } from '../../src/config/index.js';
import { type RunningService, startService } from '../../src/service.js';
import { request } from '../gateway/harness.js';
import { type Issuer, startIssuer } from '../security/issuer.js';
import { startMongo, startNats, startTenantManager, type TenantManagerServer } from '../servers/index.js';
import { connectNats } from './support/event-stream.js';
import { until } from './support/wait.js';

t.setTimeout(120_000);

function configOf(t: Test, settings: Record<string, string>) {
  const loaded = loadConfig({
    argv: {
      set: {
        'kaa.security.authentication.enabled': 'true',
        'kaa.tenant-manager.enabled': 'true',
        'kaa.tenants.kaa.client-id': 'register',
        'kaa.tenants.kaa.client-secret': 'system-secret',
        'kaa.applications.kettle.tenant': 'acme',
        'kaa.applications.kettle.versions.kettle-v1': '',
        'kaa.applications.lamp.tenant': 'bolt',
        'kaa.applications.lamp.versions.lamp-v1': '',
        'server.port': '0',
        'management.port': '0',
        'storage.url': `file:${t.testdir()}/data`,
        ...settings,
      },
    },
    env: {},
    cwd: t.testdir(),
    isTty: false,
  });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  return loaded.config;
}

async function start(t: Test, kaa: Issuer, manager: TenantManagerServer, settings: Record<string, string>) {
  const config = configOf(t, {
    'kaa.tenants.kaa.issuer': kaa.url,
    'kaa.tenant-manager.url': manager.url,
    ...settings,
  });
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const service = await startService(config, log);
  t.teardown(() => service.stop());
  const ask = (token: string, method = 'GET', path = '/endpoints', body?: unknown) =>
    request(`${service.url}/api/v1${path}`, method, body, { authorization: `Bearer ${token}` });
  const ready = async () => request(`${service.managementUrl}/health/ready`, 'GET');
  return { service, ask, ready, logged, config };
}

const untilStatus = (
  what: string,
  ask: () => Promise<{ status: number; text: string }>,
  status: number,
): Promise<unknown> =>
  until({
    what,
    look: async () => {
      const found = await ask();
      return found.status === status ? { value: null } : { state: [found.status, found.text] };
    },
  });

async function follow(service: RunningService, token: string): Promise<Response> {
  const answer = await fetch(`${service.url}/api/v1/events`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.status !== 200) throw new Error(await answer.text());
  return answer;
}

const SUBJECT = 'kaa.v1.events.tenant-manager.tenant.lifecycle';
const event = (tenantId: string) =>
  encodeTenantEvent({
    correlationId: 'c-7',
    timestamp: Date.now(),
    timeout: 0,
    tenantId,
    originatorReplicaId: 'm',
  });

void t.test('a life of an installation whose tenants come from the tenant manager', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const [kaa, acme, bolt, late] = [
    await startIssuer(t, 'kaa'),
    await startIssuer(t, 'acme'),
    await startIssuer(t, 'bolt'),
    await startIssuer(t, 'late'),
  ];
  const manager = await startTenantManager(t, { acme: { issuer: acme.url }, bolt: { issuer: bolt.url } });
  manager.takes = (token) => token.startsWith('of-register-');
  await manager.away();
  const { service, ask, ready, logged, config } = await start(t, kaa, manager, { 'nats.urls': nats.url });
  const connection = await connectNats(t, nats.url);
  const tell = (kind: 'updated' | 'unregistered', tenantId: string) =>
    connection.publish(`${SUBJECT}.${kind}`, event(tenantId));

  // never read
  t.match(service.awaits(), /The tenant manager could not be read yet/);
  t.match(await ready(), { status: 503, json: { components: { tenantManager: { status: 'DOWN' } } } });
  const ofAcme = await acme.token();
  const away = await ask(ofAcme);
  t.equal(away.status, 503);
  t.ok(Number(away.headers.get('retry-after')) > 0);
  t.match(away.json, { code: 'tenants-unavailable', message: /come from the tenant manager/ });
  t.equal((await ask(await kaa.token())).status, 200, 'the system tenant needs nobody');

  // there
  await manager.back();
  await untilStatus('it to be ready', ready, 200);
  t.equal(service.awaits(), undefined);
  const registration = { appVersion: { name: 'kettle-v1' }, endpointId: 'k-1' };
  t.equal((await ask(ofAcme, 'POST', '/endpoints', registration)).status, 201);
  t.equal((await ask(await bolt.token(), 'GET', '/endpoints/k-1')).status, 404);
  t.match(manager.asked.at(-1), { url: '/api/v1/tenants?limit=0', authorization: /^Bearer of-register-/ });

  // away again: who is known goes on
  await manager.away();
  t.equal((await ask(await acme.token({ sub: 'bob' }))).status, 200);
  await manager.back();

  // a new one is announced, and is there without a restart
  t.equal((await ask(await late.token())).status, 401);
  manager.tenants['late'] = { issuer: late.url };
  tell('updated', 'late');
  await untilStatus('the new tenant', async () => ask(await late.token()), 200);
  t.match(manager.asked.at(-1), { correlationId: 'c-7' });

  // one is no more: at once, with what lasts
  const [acmes, bolts] = [await follow(service, ofAcme), await follow(service, await bolt.token())];
  delete manager.tenants['acme'];
  const readings = acme.readings();
  tell('unregistered', 'acme');
  t.match(await acmes.text(), /event: dropped\ndata: .*is not taken any more/);
  t.equal((await ask(ofAcme)).status, 401);
  t.equal(acme.readings(), readings, 'nobody asks its auth server any more');
  t.notMatch(
    (await request(`${service.managementUrl}/health`, 'GET')).text,
    /"acme"/,
    'its keys are forgotten',
  );
  const metrics = (await request(`${service.managementUrl}/metrics`, 'GET')).text;
  t.match(metrics, /\nepr_tenants 3\n/);
  t.match(metrics, /epr_broadcasts_total\{protocol="tle",result="taken"\} 2/);
  t.notMatch(metrics, /auth-server\/acme/);
  t.equal((await ask(await bolt.token())).status, 200);

  // its data is there when it comes back
  manager.tenants['acme'] = { issuer: acme.url };
  tell('updated', 'acme');
  await untilStatus('its data', () => ask(ofAcme, 'GET', '/endpoints/k-1'), 200);

  // garbage changes nothing, and says nothing of secrets
  manager.answer = (response) => void response.end('{"results":[{"client_backend_secret":"hidden-7"}');
  tell('updated', 'bolt');
  await until({
    what: 'a reading that failed',
    look: async () => {
      const { text } = await request(`${service.managementUrl}/health`, 'GET');
      return text.includes('no list of tenants') ? { value: null } : { state: text };
    },
  });
  t.match(await ready(), { status: 200 });
  t.equal((await ask(await bolt.token())).status, 200);
  manager.answer = undefined;

  // another secret of the system tenant, on SIGHUP
  const asked = manager.asked.length;
  service.reload({
    ...config,
    kaa: { ...config.kaa, tenants: { kaa: { ...config.kaa.tenants['kaa']!, clientSecret: 'rotated' } } },
  });
  await until({
    what: 'a reading after it',
    look: async () => (manager.asked.length > asked ? { value: null } : { state: manager.asked.length }),
  });
  t.equal((await ask(await bolt.token())).status, 200);
  const basic = (secret: string) => `Basic ${Buffer.from(`register:${secret}`).toString('base64')}`;
  t.equal(kaa.server.asked.at(-1)?.headers.authorization, basic('rotated'));

  await service.stop();
  t.match(await bolts.text(), /service is stopping/);
  const said = logged.join();
  t.notMatch(said, /system-secret|rotated|secret-of-|hidden-7|of-register-/);
});

void t.test('replicas: each hears it, none needs a restart', async (t) => {
  const nats = await startNats(t);
  const mongo = await startMongo(t);
  if (nats === undefined || mongo === undefined) return;
  const [kaa, acme] = [await startIssuer(t, 'kaa'), await startIssuer(t, 'acme')];
  const manager = await startTenantManager(t, { acme: { issuer: acme.url } });
  const settings = { 'nats.urls': nats.url, 'storage.url': `${mongo.url}/tenants` };
  const replicas = await Promise.all([1, 2].map(() => start(t, kaa, manager, settings)));
  const connection = await connectNats(t, nats.url);
  const token = await acme.token();
  for (const { ask } of replicas) t.equal((await ask(token)).status, 200);
  delete manager.tenants['acme'];
  connection.publish(`${SUBJECT}.unregistered`, event('acme'));
  for (const { ask } of replicas) await untilStatus('it to be refused', () => ask(token), 401);
  manager.tenants['acme'] = { issuer: acme.url };
  connection.publish(`${SUBJECT}.updated`, event('acme'));
  for (const { ask } of replicas) await untilStatus('it to be taken', () => ask(token), 200);
});
