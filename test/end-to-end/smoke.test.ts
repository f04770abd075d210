import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { runCli, startCli, temporaryFolder, type RunningCli } from '../cli/run-cli.js';
import { type LineAnswer, openLineStream } from './support/line-stream.js';
import { createRest, revisionOf } from './support/rest.js';
import { until, within } from './support/wait.js';

t.setTimeout(120_000);

const ANY_PORT = ['--port', '0', '--set', 'management.port=0'];

async function start(
  t: Test,
  args: readonly string[],
): Promise<RunningCli & { url: string; managementUrl: string }> {
  const running = startCli(['serve', ...ANY_PORT, ...args], { cwd: temporaryFolder(t) });
  t.teardown(() => running.child.kill('SIGKILL'));
  await within(
    'the service to be ready',
    running.said('is ready'),
    () => running.stdout() + running.stderr(),
  );
  const [url, managementUrl] = running.stdout().match(/http:\/\/127\.0\.0\.1:\d+/g) ?? [];
  return { ...running, url: url!, managementUrl: managementUrl! };
}

async function getJson<T>(url: string): Promise<{ status: number; body: T }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as T };
}

void t.test('with no configuration: says what is so, works, and stops', async (t) => {
  const running = await start(t, ['--set', 'logging.format=pretty']);
  const said = running.stdout();
  t.match(said.split('\n')[0], /^Endpoint register \d+\.\d+\.\d+ is ready$/, 'the first line');
  for (const part of [/REST and live events +http/, /stores .*data.*on disk/, /authentication +off; safe/])
    t.match(said, part, `it says ${part}`);
  t.match(said, /NATS +not configured/, 'what is off');
  t.match(said, /\nTry\n/, 'what to try next');

  const rest = createRest(running.url);
  t.teardown(() => rest.close());
  const body = { appVersion: { name: 'demo-v1' }, endpointId: 'kettle-1', metadata: { city: 'Kyiv' } };
  await rest.ask('POST', '/api/v1/endpoints', 201, body);
  await rest.ask('POST', '/epr/api/v1/endpoints', 409, body);
  await rest.ask('PUT', '/api/v1/endpoints/kettle-1/metadata/temp', 200, 92);
  t.same(await rest.ask('GET', '/api/v1/endpoints/kettle-1/metadata', 200), { city: 'Kyiv', temp: 92 });
  await rest.ask('DELETE', '/api/v1/endpoints/kettle-1', 204);
  await rest.ask('GET', '/api/v1/endpoints/kettle-1', 404);

  for (const path of ['/health', '/health/ready', '/health/live'])
    t.match(await getJson(`${running.managementUrl}${path}`), { status: 200, body: { status: 'UP' } }, path);
  t.match(
    await getJson(`${running.managementUrl}/info`),
    { body: { node: process.version, instance: 'epr' } },
    '/info',
  );
  t.match(await (await fetch(`${running.managementUrl}/metrics`)).text(), /^epr_/m, '/metrics');

  running.child.kill('SIGTERM');
  t.match(await running.done, { code: 0, signal: null }, 'it stopped in order');
});

void t.test('SIGTERM in the middle of a stream: what was answered is stored', async (t) => {
  const data = temporaryFolder(t);
  const first = await start(t, ['--data', data]);
  const rest = createRest(first.url);
  t.teardown(() => rest.close());
  await rest.ask('POST', '/api/v1/endpoints', 201, { appVersion: { name: 'demo-v1' }, endpointId: 'e' });
  const answers: LineAnswer[] = [];
  const stream = openLineStream(first.url, (answer) => {
    if (answers.push(answer) === 500) first.child.kill('SIGTERM');
  });
  let sent = 0;
  let over = false;
  void stream.ended.then(() => (over = true));
  while (!over) {
    const items = Array.from({ length: 50 }, () => ({ endpointId: 'e', set: { n: ++sent } }));
    await stream.write(items).catch(() => (over = true));
    await new Promise(setImmediate);
  }
  const result = await within('the service to stop', first.done, () => first.stdout());
  t.match(result, { code: 0, signal: null }, 'it stopped in order');
  t.ok(answers.length >= 500, `${answers.length} of ${sent} lines were answered`);
  // what it was still able to do after it was told to stop was done or refused, never half
  const done = answers.filter(({ status }) => status === 200);
  const odd = answers.filter(({ status }) => status !== 200 && status !== 503);
  t.same(odd.slice(0, 3), [], 'lines are done, or refused until later');

  const second = await start(t, ['--data', data]);
  const again = createRest(second.url);
  t.teardown(() => again.close());
  const { n } = await again.ask<{ n: number }>('GET', '/api/v1/endpoints/e/metadata', 200);
  t.ok(n >= done.length && n <= sent, `${done.length} lines were answered, line ${n} is stored`);
  t.equal(await again.metadataRevision('e'), n + 1, 'each line was carried out once');
  t.equal(revisionOf(done.at(-1)!.etag), done.length + 1, 'the last answer is of its own line');
});

void t.test('SIGHUP takes up applications; a wrong file changes nothing', async (t) => {
  const config = join(temporaryFolder(t), 'epr.yml');
  const write = (versions: string): void =>
    writeFileSync(config, `kaa.applications.a.versions: ${versions}\n`);
  write('{ a-v1: }');
  const running = await start(t, ['--config', config]);
  const rest = createRest(running.url);
  t.teardown(() => rest.close());
  const register = async (endpointId: string, name: string, status: number): Promise<void> => {
    const asked = rest.ask('POST', '/api/v1/endpoints', status, { endpointId, appVersion: { name } });
    await t.resolves(asked, `a registration with ${name} is answered ${status}`);
  };
  await register('e1', 'a-v2', 404);
  write('{ a-v1: , a-v2: }');
  running.child.kill('SIGHUP');
  await within('the configuration', running.said('was read again'), () => running.stdout());
  await register('e1', 'a-v2', 201);
  write('[');
  running.child.kill('SIGHUP');
  await within('the refusal', running.said('The configuration was not taken up'), () => running.stdout());
  await register('e2', 'a-v2', 201);
});

void t.test('a port or a folder that another register has is refused, with the remedy', async (t) => {
  const data = temporaryFolder(t);
  const running = await start(t, ['--data', data]);
  const { port } = new URL(running.url);
  const samePort = await runCli(['serve', '--port', port, '--set', 'management.port=0'], {
    cwd: temporaryFolder(t),
  });
  t.equal(samePort.code, 1, 'a second one on the port ends');
  t.match(samePort.stderr, new RegExp(`port ${port}: another program`), 'it says why');
  const sameFolder = await runCli(['serve', ...ANY_PORT, '--data', data], { cwd: temporaryFolder(t) });
  t.equal(sameFolder.code, 1, 'a second one on the folder ends');
  t.match(sameFolder.stderr, new RegExp(`in use by process ${running.child.pid}`), 'it says who');

  running.child.kill('SIGKILL');
  await running.done;
  const next = await start(t, ['--data', data]);
  const health = await until({
    what: 'the register that takes over the folder of a killed one',
    look: async () => ({ value: await getJson<{ status: string }>(`${next.managementUrl}/health`) }),
  });
  t.equal(health.body.status, 'UP', 'the folder of a killed one is taken over');
});
