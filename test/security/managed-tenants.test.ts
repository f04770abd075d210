import type { ServerResponse } from 'node:http';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import {
  createPeerClient,
  createPeerMetrics,
  createTenantManager,
  TENANT_MANAGER_LIMITS,
} from '../../src/peers/index.js';
import {
  createEndpointResources,
  createManagedTenants,
  type ManagedTenantsTimes,
  type Tenant,
} from '../../src/security/index.js';
import { startTenantManager, type TenantManagerServer } from '../servers/index.js';

/** Nothing is read again by itself, unless a test says so; what failed is tried again at once. */
const TIMES: Partial<ManagedTenantsTimes> = {
  startMs: 60_000,
  rereadMs: 3_600_000,
  mergeMs: 20,
  leastMs: 0,
  retryFirstMs: 20,
  retryMostMs: 50,
  waitMs: 60_000,
};
const PUBLIC = 'https://auth.example.org/realms';
const KAA: Tenant = {
  name: 'kaa',
  issuer: `${PUBLIC}/kaa`,
  authServerUrl: 'http://keycloak:8080/realms/kaa',
  clientId: 'epr',
  clientSecret: 'system-secret',
};

interface Line {
  level: number;
  msg: string;
  correlationId?: string;
  error?: string;
}

async function start(
  t: Test,
  server: TenantManagerServer,
  { times = {}, begin = true }: { times?: Partial<ManagedTenantsTimes>; begin?: boolean } = {},
) {
  const registry = new Registry();
  const lines: Line[] = [];
  const log = pino(
    { level: 'info', base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Line) },
  );
  const client = createPeerClient(
    {
      name: 'tenant-manager',
      url: server.url,
      hasSecrets: true,
      token: { get: async () => 'token', refused: () => undefined },
      limits: { ...TENANT_MANAGER_LIMITS, attempts: 1, attemptMs: 60_000, callMs: 60_000 },
    },
    { log, metrics: createPeerMetrics(registry) },
  );
  const clock = { ms: 1e6 };
  const tenants = createManagedTenants({
    tenantManager: createTenantManager(client, { url: server.url }),
    systemTenant: KAA,
    log,
    metrics: registry,
    times: { ...TIMES, ...times },
    monotonicMs: () => clock.ms,
  });
  t.teardown(async () => {
    await client.close();
    await tenants.stop();
  });
  if (begin) await tenants.start();
  const names = () =>
    tenants
      .list()
      .map(({ name }) => name)
      .sort();
  const metric = async (name: string, labels: Record<string, string> = {}) =>
    (await registry.getSingleMetric(name)!.get()).values
      .filter(({ labels: own }) => Object.entries(labels).every(([key, value]) => own[key] === value))
      .reduce((sum, { value }) => sum + value, 0);
  let changes = 0;
  tenants.onChange(() => changes++);
  return { tenants, names, lines, clock, metric, changes: () => changes };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const of = (name: string) => ({ issuer: `${PUBLIC}/${name}` });
const say = (kind: 'updated' | 'unregistered', tenantId: string) => ({
  kind,
  tenantId,
  correlationId: 'c-1',
});

void t.test('read at start; the system tenant is that of the configuration', async (t) => {
  const server = await startTenantManager(t, {
    kaa: { issuer: 'https://evil.example/realms/kaa', client_backend_secret: 'other' },
    acme: of('acme'),
    far: { issuer: 'https://login.example.net/far' },
    near: { issuer: 'https://auth.example.org/realms-2/near' },
    late: { ...of('late'), status: 'CREATING' },
  });
  const { tenants, names, metric } = await start(t, server);
  t.same(names(), ['acme', 'far', 'kaa', 'near']);
  t.equal(tenants.byIssuer(KAA.issuer), KAA);
  t.same(tenants.byName('acme'), {
    name: 'acme',
    issuer: `${PUBLIC}/acme`,
    authServerUrl: 'http://keycloak:8080/realms/acme',
    ownOriginOnly: true,
    clientId: 'epr',
    clientSecret: 'secret-of-acme',
  });
  t.equal(
    tenants.byName('far')?.authServerUrl,
    'https://login.example.net/far',
    'not beside the system tenant',
  );
  t.equal(tenants.byName('near')?.authServerUrl, 'https://auth.example.org/realms-2/near');
  t.match(tenants.status(), { status: 'UP', details: { tenants: 4, readAt: /^\d{4}-/ } });
  t.equal(await metric('epr_tenants'), 4);
  t.equal(await metric('epr_tenant_reads_total', { result: 'ok' }), 1);
});

void t.test(
  'never read: who comes with a token of an unknown issuer is not refused, it is not known',
  async (t) => {
    const server = await startTenantManager(t, { acme: of('acme') });
    await server.away();
    const { tenants, names, lines, clock } = await start(t, server, { times: { startMs: 10 } });
    t.same(names(), ['kaa']);
    t.equal(tenants.byIssuer(KAA.issuer), KAA, 'the system tenant needs nobody');
    t.equal(await tenants.byIssuer(`${PUBLIC}/acme`), 'away');
    t.match(tenants.status(), { status: 'DOWN', details: { tenants: 1, error: /ECONNREFUSED/ } });

    // what is to be removed at the auth server of a tenant is not forgotten because the tenant is not known yet
    const resources = createEndpointResources({
      tenants,
      tokens: { ask: () => Promise.reject(new Error('asked')) },
      changed: () => undefined,
      log: pino({ level: 'silent' }),
    });
    const resource = { tenant: 'nobody', endpointId: 'e' };
    t.match(await resources.remove(resource), { kind: 'retry', code: 'auth-server-unavailable' });
    t.match(
      lines.find(({ msg }) => msg.startsWith('Tenants can not be read')),
      { level: 40, msg: /others are answered with 503.*Remedy: see that the tenant manager runs/ },
    );
    await server.back();
    await until(() => names().includes('acme'));
    t.equal(tenants.status().status, 'UP');
    t.match(lines.map(({ msg }) => msg).join(), /The tenant manager was read again/);
    clock.ms += 60_000;
    t.equal(await tenants.byIssuer(`${PUBLIC}/nobody`), undefined);
    t.equal(await resources.remove(resource), undefined);
  },
);

void t.test(
  'an unknown issuer: one reading, in ten seconds, for all who come; a new tenant is found',
  async (t) => {
    const server = await startTenantManager(t, { acme: of('acme') });
    const { tenants, clock } = await start(t, server);
    const readings = () => server.asked.splice(0).length;
    readings();
    server.tenants['late'] = of('late');
    const found = await Promise.all(
      Array.from({ length: 100 }, async (_, n) =>
        tenants.byIssuer(n === 50 ? `${PUBLIC}/late` : `${PUBLIC}/x-${n}`),
      ),
    );
    t.equal((found[50] as Tenant).name, 'late');
    t.equal(found.filter((each) => each === undefined).length, 99);
    t.equal(readings(), 1);
    for (let n = 0; n < 100; n++) t.equal(await tenants.byIssuer(`${PUBLIC}/y-${n}`), undefined);
    t.equal(readings(), 0, 'not again within ten seconds');
    clock.ms += 10_000;
    await tenants.byIssuer(`${PUBLIC}/y-1`);
    t.equal(readings(), 1);
  },
);

void t.test('a flood of invented issuers while the tenant manager hangs keeps nobody else', async (t) => {
  const server = await startTenantManager(t, { acme: of('acme') });
  const { tenants, clock } = await start(t, server, { times: { waitMs: 100 } });
  const hanging: ServerResponse[] = [];
  server.answer = (response) => void hanging.push(response);
  clock.ms += 10_000;
  const flood = Array.from({ length: 5_000 }, (_, n) => tenants.byIssuer(`${PUBLIC}/x-${n}`));
  t.equal(flood.filter((each) => each instanceof Promise).length, 256, 'so many wait');
  t.equal(flood.filter((each) => each === 'away').length, 5_000 - 256);
  t.equal((tenants.byIssuer(`${PUBLIC}/acme`) as Tenant).name, 'acme', 'at once');
  t.same(
    new Set(await Promise.all(flood.map(async (each) => each))),
    new Set(['away']),
    'those who wait do not wait for ever',
  );
  await until(() => server.asked.length === 2);
});

void t.test('announcements are followed; what is said to be no more is refused at once', async (t) => {
  const server = await startTenantManager(t, { acme: of('acme'), bolt: of('bolt') });
  const { tenants, names, lines, changes } = await start(t, server);
  const [acme, bolt] = [tenants.byName('acme'), tenants.byName('bolt')];

  server.tenants['acme'] = { ...of('acme'), client_backend_secret: 'another' };
  server.tenants['new'] = of('new');
  tenants.changed(say('updated', 'acme'));
  t.equal(tenants.byName('acme'), acme, 'in force until it is read');
  await until(() => names().includes('new'));
  t.equal(tenants.byName('acme')?.clientSecret, 'another');
  t.equal(tenants.byName('bolt'), bolt, 'the same object where nothing has changed');
  t.match(
    lines.find(({ msg }) => msg === 'Tenants have changed.'),
    Object,
  );
  t.match(lines.at(-1), { correlationId: 'c-1', added: ['new'], changed: ['acme'] });
  t.equal(server.asked.at(-1)?.correlationId, 'c-1');

  // the reading that is under way has it still
  let first: ServerResponse | undefined;
  server.answer = (response) => void (first = response);
  tenants.missed();
  await until(() => first !== undefined);
  const former = {
    count: 1,
    results: [{ id: 'bolt', ...of('bolt'), client_backend_id: 'epr', status: 'AVAILABLE' }],
  };
  let second: ServerResponse | undefined;
  server.answer = (response) => void (second = response);
  delete server.tenants['bolt'];
  const before = changes();
  tenants.changed(say('unregistered', 'bolt'));
  t.equal(tenants.byName('bolt'), undefined);
  t.equal(tenants.isComplete(), false, 'nobody has said so but NATS');
  t.equal(changes(), before + 1, 'and listeners know it in the same turn');
  const waits = tenants.byIssuer(`${PUBLIC}/bolt`);
  first!.end(JSON.stringify(former));
  await until(() => second !== undefined);
  t.equal(tenants.byName('bolt'), undefined, 'that one says nothing of it');
  t.equal(tenants.isComplete(), false);
  server.answer = undefined;
  second!.end(JSON.stringify({ ...former, results: [], count: 0 }));
  t.equal(await waits, undefined);
  t.equal(tenants.byName('bolt'), undefined);
  t.equal(tenants.isComplete(), true);
  t.same(names(), ['kaa']);
});

void t.test('a status that is another one, and a tenant that is left out', async (t) => {
  const server = await startTenantManager(t, { acme: of('acme'), bolt: of('bolt') });
  const { tenants, names } = await start(t, server);
  server.tenants['acme'] = { ...of('acme'), status: 'DELETING' };
  delete server.tenants['bolt'];
  tenants.missed();
  await until(() => names().length === 1);
  t.same(names(), ['kaa']);
});

void t.test('announcements that lie or flood', async (t) => {
  const server = await startTenantManager(t, { acme: of('acme'), bolt: of('bolt') });
  const { tenants, names, changes } = await start(t, server, { times: { leastMs: 50, mergeMs: 200 } });
  const bolt = tenants.byName('bolt');
  // what invented issuers may ask for is used up
  t.equal(await tenants.byIssuer(`${PUBLIC}/nobody`), undefined);
  // a lie: it is there again with the reading, which whoever comes meanwhile waits for
  tenants.changed(say('unregistered', 'acme'));
  const waits = tenants.byIssuer(`${PUBLIC}/acme`);
  t.ok(waits instanceof Promise);
  t.match(await waits, { name: 'acme' });
  t.equal(server.asked.length, 3);

  const before = changes();
  for (let n = 0; n < 10_000; n++) {
    tenants.changed(say('updated', `x-${n}`));
    tenants.changed(say('unregistered', `x-${n}`));
    tenants.changed(say('unregistered', 'kaa'));
    tenants.changed(say('unregistered', '__proto__'));
  }
  t.same(names(), ['acme', 'bolt', 'kaa'], 'the system tenant is nobody’s to take away');
  t.equal(tenants.byName('bolt'), bolt);
  tenants.missed();
  await until(() => server.asked.length === 4);
  await new Promise((resolve) => setTimeout(resolve, 250));
  t.equal(server.asked.length, 4, 'forty thousand are one reading');
  t.equal(changes(), before, 'and nothing has changed');
});

void t.test(
  'what can not be read of one tenant leaves it as it was; a malformed whole leaves all',
  async (t) => {
    const server = await startTenantManager(t, { acme: of('acme'), bolt: of('bolt'), core: of('core') });
    const { tenants, names, lines } = await start(t, server);
    const was = ['acme', 'bolt', 'core'].map((name) => tenants.byName(name));
    const same = () =>
      t.same(
        ['acme', 'bolt', 'core'].map((name) => tenants.byName(name)),
        was,
      );

    // acme's issuer is claimed by a new one, bolt's can't be read, core's is claimed by one whose own was fine
    server.tenants['thief'] = of('acme');
    server.tenants['bolt'] = { issuer: 'file:///etc/passwd' };
    server.tenants['other'] = of('bolt');
    tenants.missed();
    await until(() => (tenants.status().details.faulty?.length ?? 0) > 0);
    same();
    t.same(names(), ['acme', 'bolt', 'core', 'kaa']);
    t.same([...tenants.status().details.faulty!].sort(), ['acme', 'bolt', 'other', 'thief']);
    t.match(
      lines.map(({ msg }) => msg).join('\n'),
      /tenant thief: its issuer .*realms\/acme is that of acme, too/,
    );
    t.match(lines.map(({ msg }) => msg).join('\n'), /tenant other: its issuer is that of bolt/);
    const told = lines.length;
    tenants.missed();
    await until(() => server.asked.length >= 3);
    t.equal(lines.length, told, 'said once');

    // the issuer of the system tenant
    server.tenants = { acme: of('acme'), bolt: of('bolt'), core: of('core'), thief: { issuer: KAA.issuer } };
    tenants.missed();
    await until(() => JSON.stringify(tenants.status().details.faulty) === '["thief"]');
    t.equal(tenants.byIssuer(KAA.issuer), KAA);
    t.same(names(), ['acme', 'bolt', 'core', 'kaa']);

    for (const body of ['<html>', '{"results":{}}', '{"count":4,"results":[]}']) {
      server.answer = (response) => void response.end(body);
      tenants.missed();
      await until(() => tenants.status().details.error !== undefined);
      same();
      t.equal(tenants.status().status, 'UP');
      server.answer = undefined;
      await until(() => tenants.status().details.error === undefined);
    }
  },
);

void t.test('away in the middle: what is known goes on, what is not is not known', async (t) => {
  const server = await startTenantManager(t, { acme: of('acme') });
  const { tenants, clock, metric } = await start(t, server);
  await server.away();
  clock.ms += 10_000;
  t.equal(await tenants.byIssuer(`${PUBLIC}/late`), 'away');
  t.match(tenants.byIssuer(`${PUBLIC}/acme`), { name: 'acme' });
  t.match(tenants.status(), { status: 'UP', details: { error: /ECONNREFUSED/ } });
  t.equal((await metric('epr_tenant_reads_total', { result: 'unavailable' })) > 0, true);
  // said to be no more while nobody can be asked: it is believed
  tenants.changed(say('unregistered', 'acme'));
  t.equal(await tenants.byIssuer(`${PUBLIC}/acme`), 'away');
  await server.back();
  await until(() => tenants.byName('acme') !== undefined);
});

void t.test('thousands of tenants; another system tenant', async (t) => {
  const server = await startTenantManager(t);
  for (let n = 0; n < 10_000; n++) server.tenants[`t-${n}`] = of(`t-${n}`);
  const { tenants, changes, lines } = await start(t, server);
  t.equal(tenants.list().length, 10_001);
  t.equal(tenants.list(), tenants.list());
  t.ok(
    lines.every((line) => JSON.stringify(line).length < 2_000),
    'the log does not name them all',
  );
  tenants.missed();
  await until(() => server.asked.length === 2);
  const some = tenants.byName('t-9999');
  tenants.setSystemTenant({ ...KAA, authServerUrl: 'http://keycloak-2:8080/realms/kaa' });
  t.equal(tenants.byName('kaa')?.authServerUrl, 'http://keycloak-2:8080/realms/kaa', 'at once');
  await until(() => tenants.byName('t-9999') !== some);
  t.equal(tenants.byName('t-9999')?.authServerUrl, 'http://keycloak-2:8080/realms/t-9999');
  t.equal(changes(), 2);
});
