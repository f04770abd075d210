import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startService as startHere } from '../../src/service.js';
import { runCli } from '../cli/run-cli.js';
import { endpointOf, startCredentialServer } from '../peers/credential-server.js';
import { answer, reset } from '../peers/support.js';
import { until } from '../register/support.js';
import { startMongo } from '../servers/index.js';
import { startService, WEATHER_CONFIG } from './support/service.js';

t.setTimeout(120_000);

interface Status {
  createdCount: number;
  failedCount: number;
  created: { endpointId: string; endpointToken: string }[];
  failed: { endpointId: string; code: string }[];
}

/** The whole service in this process, which logs all that there is to log. */
async function start(t: Test) {
  const cm = await startCredentialServer(t);
  const cwd = mkdtempSync(join(tmpdir(), 'epr-credentials-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  const set = {
    'server.port': '0',
    'management.port': '0',
    'storage.url': `file:${cwd}/data`,
    'storage.durability': 'async',
    'logging.level': 'trace',
    'kaa.epr.credential-management.base-url': `${cm.url}/`,
  };
  const loaded = loadConfig({ argv: { set }, env: {}, cwd, isTty: false });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
  const logged: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) });
  const service = await startHere(loaded.config, log);
  t.teardown(() => service.stop());
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${service.url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as never };
  };
  const register = (body: object, headers = {}) =>
    post('/endpoints', { appVersion: { name: 'demo-v1' }, ...body }, headers);
  return { cm, cwd, service, logged, post, register };
}

void t.test('over REST: registrations, batches, an import, and what an operator sees', async (t) => {
  const { cm, cwd, service, logged, post, register } = await start(t);
  const made = await register({ endpointId: 'made' });
  t.match(made, { status: 201, body: { token: 'cm-1', endpointId: 'made', status: 'Inactive' } });
  const given = await register({ endpointId: 'given', endpointToken: 'secret-one' });
  t.match(given, { status: 201, body: { token: 'secret-one' } });
  t.match(await register({ endpointToken: 'secret-one' }), { status: 409, body: { code: 'token-taken' } });
  t.match(await register({ endpointId: 'made' }), { status: 409, body: { code: 'endpoint-exists' } });

  cm.behave(answer(400, { message: 'no such token: secret-two' }));
  t.match(await register({ endpointToken: 'secret-two' }), { status: 400, body: { code: 'token-refused' } });
  for (const fault of [
    reset,
    answer(500, 'secret-two'),
    answer(404, 'secret-two'),
    answer(200, 'secret-two'),
  ]) {
    cm.behave(fault);
    const refused = await register({ endpointId: 'e', endpointToken: 'secret-two' });
    t.match(refused, { status: 503, body: { code: 'credentials-unavailable' } });
    t.match(refused.headers.get('retry-after'), /^\d+$/);
    t.equal((await fetch(`${service.url}/api/v1/endpoints/e`)).status, 404);
  }
  cm.behave(cm.works);
  const keyed = await Promise.all(
    [1, 2, 3].map(() => register({ endpointToken: 'secret-three' }, { 'idempotency-key': 'k' })),
  );
  t.same([...new Set(keyed.map(({ body }) => JSON.stringify(body)))].length, 1, 'done once under a key');

  cm.behave((response, asked) =>
    endpointOf(asked) === 'b7' ? answer(400, 'no')(response, asked) : cm.works(response, asked),
  );
  const endpoints = Array.from({ length: 1000 }, (_, i) => ({ endpointId: `b${i}` }));
  const started = await post('/endpoints/batch', { appVersion: { name: 'demo-v1' }, endpoints });
  t.equal(started.status, 202);
  const read = async () => (await (await fetch(started.headers.get('location')!)).json()) as Status;
  await until(async () => {
    const { createdCount, failedCount } = await read();
    return createdCount + failedCount === 1000;
  });
  const status = await read();
  t.match(status, { createdCount: 999, failed: [{ endpointId: 'b7', code: 'token-refused' }] });
  t.same(
    status.created.filter(({ endpointId, endpointToken }) => cm.tokensOf(endpointId)[0] !== endpointToken),
    [],
  );

  const file = join(cwd, 'fleet.ndjson');
  const line = (i: number) => ({
    appVersion: { name: 'demo-v1' },
    endpointId: `i${i}`,
    endpointToken: `secret-i${i}`,
  });
  writeFileSync(file, Array.from({ length: 1200 }, (_, i) => `${JSON.stringify(line(i))}\n`).join(''));
  const imported = await runCli(['import', file, '--url', service.url], { cwd });
  t.equal(imported.code, 0, imported.stderr);
  t.match(imported.stdout, /1,200/);
  t.same(cm.tokensOf('i1199'), ['secret-i1199']);
  const again = await runCli(['import', file, '--url', service.url], { cwd });
  t.equal(again.code, 0, again.stderr);
  t.same(cm.tokensOf('i1199'), ['secret-i1199'], 'importing it again asks for no token');

  const metrics = await (await fetch(`${service.managementUrl}/metrics`)).text();
  const ok = /epr_peer_requests_total\{peer="credential-management",outcome="ok"\} (\d+)/.exec(metrics);
  t.equal(Number(ok?.[1]), cm.endpoints().length);
  const health = (await (await fetch(`${service.managementUrl}/health`)).json()) as object;
  t.match(health, { status: 'UP', components: { credentialManagement: { details: { circuit: 'closed' } } } });
  t.ok(logged.length > 1000, `${logged.length} lines were logged`);
  const tokens = [...logged.join('\n').matchAll(/secret-\w+|cm-\d+/g)].map(([token]) => token);
  t.same(tokens, [], 'no token is in the log');
});

for (const keeper of ['embedded', 'mongodb'] as const) {
  void t.test(`${keeper}: killed in the middle of a batch`, async (t) => {
    const mongo = keeper === 'mongodb' ? await startMongo(t) : undefined;
    if (keeper === 'mongodb' && mongo === undefined) return;
    const cm = await startCredentialServer(t);
    cm.behave((response, asked) => void setTimeout(() => cm.works(response, asked), 5));
    const service = await startService(t, {
      natsUrl: '[]',
      config: `${WEATHER_CONFIG}\nkaa.epr.credential-management.base-url: ${cm.url}\n`,
      ...(mongo === undefined ? {} : { storageUrl: mongo.url }),
    });
    const endpoints = Array.from({ length: 1000 }, (_, i) => ({ endpointId: `e${i}`, metadata: { i } }));
    const { taskId } = await service.rest.ask<{ taskId: string }>('POST', '/api/v1/endpoints/batch', 202, {
      appVersion: { name: 'weather-v1' },
      endpoints,
    });
    const read = () =>
      service.rest.ask<Status>('GET', `/api/v1/endpoints/batch/status?appName=weather&taskId=${taskId}`, 200);
    // in the second round
    await until(() => cm.endpoints().length > 600);
    const before = await read();
    await service.kill();
    await service.restart();
    await until(async () => (await read()).createdCount === 1000);
    const after = await read();
    const tokens = new Map(after.created.map(({ endpointId, endpointToken }) => [endpointId, endpointToken]));
    t.ok(before.createdCount >= 500 && before.createdCount < 1000, `${before.createdCount} were done`);
    t.same(
      before.created.filter(({ endpointId, endpointToken }) => tokens.get(endpointId) !== endpointToken),
      [],
      'a line that was done keeps its token',
    );
    t.same(
      before.created.filter(({ endpointId }) => cm.tokensOf(endpointId).length !== 1),
      [],
      'and no other one was issued',
    );
    t.same(
      endpoints.filter(({ endpointId }) => cm.tokensOf(endpointId).at(-1) !== tokens.get(endpointId)),
      [],
      'what is told is what was issued last',
    );
    t.equal((await service.rest.endpoints()).size, 1000);
  });
}
