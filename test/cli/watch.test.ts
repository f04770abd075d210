import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runCli, startCli, temporaryFolder, type RunningCli, type TestContext } from './run-cli.js';
import { freePort, startRegister, startRegisterProcess } from './start-register.js';

function startWatch(t: TestContext, args: string[]): RunningCli {
  const running = startCli(['watch', ...args]);
  t.teardown(() => running.child.kill('SIGKILL'));
  return running;
}

const JSON_TYPE = { 'content-type': 'application/json' };

async function put(url: string, path: string, value: unknown): Promise<void> {
  const answer = await fetch(`${url}/api/v1/endpoints/${path}`, {
    method: 'PUT',
    body: JSON.stringify(value),
    headers: JSON_TYPE,
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

async function register(url: string, endpointId: string): Promise<void> {
  const body = JSON.stringify({ appVersion: { name: 'demo-v1' }, endpointId });
  const answer = await fetch(`${url}/api/v1/endpoints`, { method: 'POST', body, headers: JSON_TYPE });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Changes something again and again until it is seen, for a stream begins at some moment after its process. */
async function untilSeen(running: RunningCli, url: string, path: string): Promise<void> {
  let n = 0;
  const seen = running.said('metadata-updated').then(() => true);
  while (!(await Promise.race([seen, new Promise<false>((resolve) => setTimeout(() => resolve(false), 50))])))
    await put(url, path, n++);
}

void t.test('each change is one line; Ctrl-C ends it', async (t) => {
  const { url } = await startRegister(t);
  await register(url, 'kettle-1');
  const all = startWatch(t, ['--url', url]);
  const other = startWatch(t, ['--url', url, '--endpoint', 'kettle-2']);
  const json = startWatch(t, ['--url', url, '--json', '--type', 'metadata-updated']);
  await Promise.all([
    untilSeen(all, url, 'kettle-1/metadata/n'),
    untilSeen(json, url, 'kettle-1/metadata/n'),
  ]);
  await put(url, 'kettle-1/metadata/city', 'Kyiv');
  await put(url, 'kettle-1/metadata/city', 'Lviv');
  await register(url, 'kettle-2');
  await untilSeen(other, url, 'kettle-2/metadata/n');
  await all.said('"Kyiv" -> "Lviv"');
  t.match(all.stdout(), /^\d\d:\d\d:\d\d\.\d{3} {2}metadata-updated +kettle-1 +\+city "Kyiv"$/m);
  t.match(all.stdout(), /^\S+ {2}metadata-updated +kettle-1 +city "Kyiv" -> "Lviv"$/m);
  await all.said('registered');
  t.notMatch(other.stdout(), /kettle-1/);
  await json.said('Lviv');
  for (const running of [all, other, json]) {
    running.child.kill('SIGINT');
    t.equal((await running.done).code, 0);
    t.equal(running.stderr(), `epr: connected to ${url}, waiting for events; Ctrl-C ends it\n`);
  }
  for (const line of json.stdout().trim().split('\n')) {
    t.match(JSON.parse(line), { type: 'metadata-updated', endpointId: /^kettle-/ });
  }
});

void t.test('a register that goes and comes back is followed again', async (t) => {
  const folder = temporaryFolder(t);
  // a port that was chosen by the system can't be listened on again while connections of it linger
  const port = await freePort();
  const first = await startRegisterProcess(t, { folder, port });
  await register(first.url, 'kettle-1');
  const running = startWatch(t, ['--url', first.url]);
  await untilSeen(running, first.url, 'kettle-1/metadata/n');
  first.running.child.kill('SIGTERM');
  await running.said('connection lost');
  await first.running.done;
  const second = await startRegisterProcess(t, { folder, port });
  await put(first.url, 'kettle-1/metadata/city', 'Odesa');
  await running.said('+city "Odesa"');
  // killed, with what nobody was there to see
  second.running.child.kill('SIGKILL');
  await second.running.done;
  await startRegisterProcess(t, { folder, port });
  await put(first.url, 'kettle-1/metadata/city', 'Lviv');
  await running.said('"Odesa" -> "Lviv"');
  running.child.kill('SIGTERM');
  t.equal((await running.done).code, 0);
  t.match(running.stderr(), /connected again; what happened in between follows/);
  t.notMatch(running.stderr(), /missing/);
  t.equal(running.stdout().match(/Odesa"$/gm)?.length, 1, 'nothing twice');
});

void t.test('a gap is told', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const first = await startRegisterProcess(t, { folder, port });
  await register(first.url, 'kettle-1');
  const running = startWatch(t, ['--url', first.url]);
  const json = startWatch(t, ['--url', first.url, '--json']);
  await untilSeen(running, first.url, 'kettle-1/metadata/n');
  await untilSeen(json, first.url, 'kettle-1/metadata/n');
  first.running.child.kill('SIGTERM');
  await first.running.done;
  rmSync(join(folder, 'live-events'), { recursive: true });
  await startRegisterProcess(t, { folder, port });
  await running.said('events may be missing here: The register does not know this id');
  await json.said('"type":"gap","reason":"unknown-id"');
  await untilSeen(running, first.url, 'kettle-1/metadata/m');
  t.equal(running.stderr().match(/events may be missing/g)?.length, 1);
});

void t.test('who reads goes away: it ends without a word', async (t) => {
  const { url } = await startRegister(t);
  await register(url, 'kettle-1');
  const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
  const script = `"${process.execPath}" "${main}" watch --url ${url} | head -n 1; echo "codes \${PIPESTATUS[*]}"`;
  const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<true>((resolve) => child.on('close', () => resolve(true)));
  let n = 0;
  while (
    !(await Promise.race([ended, new Promise<false>((resolve) => setTimeout(() => resolve(false), 50))]))
  )
    await put(url, 'kettle-1/metadata/n', n++);
  t.match(output, /^epr: connected [^\n]*\n\S+ {2}metadata-updated [^\n]*\ncodes 0 0\n$/);
});

void t.test('a filter that the register does not know is said', async (t) => {
  const { url } = await startRegister(t);
  const saved = await fetch(`${url}/api/v1/applications/demo/filters`, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify({ name: 'all', description: 'all', mongoQuery: {} }),
  });
  const { id } = (await saved.json()) as { id: string };
  const unknown = await runCli(['watch', '--url', url, '--filter', 'none']);
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /There is no filter "none"; .* lists those/);
  const known = startWatch(t, ['--url', url, '--filter', id]);
  await known.said('waiting for events');
  known.child.kill('SIGINT');
  t.equal((await known.done).code, 0);
});

void t.test('nobody there, and a parameter that the register does not know', async (t) => {
  const { code, stderr } = await runCli(['watch', '--url', 'http://127.0.0.1:1']);
  t.equal(code, 1);
  t.match(stderr, /^epr: No answer from http:\/\/127\.0\.0\.1:1 .*--url.*\n$/);
  const { url } = await startRegister(t);
  const refused = await runCli(['watch', '--url', url, '--type', 'nonsense']);
  t.equal(refused.code, 1);
  t.match(refused.stderr, /^epr: The register refuses the stream \(400\): .*nonsense.*\n$/);
});
