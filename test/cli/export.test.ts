import { spawn } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { runCli, startCli, temporaryFolder, type TestContext } from './run-cli.js';
import { getJson, startRegister } from './start-register.js';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

interface Listed {
  endpointId: string;
  appVersion: { name: string };
  metadata: object;
}

const registration = (i: number, metadata: object = { n: i }, version = 'demo-v1'): string =>
  JSON.stringify({ appVersion: { name: version }, endpointId: `e${i}`, metadata });
const lines = (count: number, make: (i: number) => string): string =>
  `${Array.from({ length: count }, (_, i) => make(i)).join('\n')}\n`;

async function importInto(url: string, cwd: string, input: string): Promise<void> {
  const { code, stderr, stdout } = await runCli(['import', '-', '--url', url], { cwd, input });
  if (code !== 0) throw new Error(stdout + stderr);
}

/** What is exported, as a list by id. */
async function fleet(url: string): Promise<string[]> {
  const { content } = (await getJson(`${url}/api/v1/endpoints?include=metadata&limit=10000`)) as {
    content: Listed[];
  };
  return content.map((endpoint) => text(endpoint)).sort();
}

const text = ({ endpointId, appVersion, metadata }: Listed): string =>
  JSON.stringify([endpointId, appVersion.name, metadata]);
const textsOf = (ndjson: string): string[] =>
  ndjson
    .trimEnd()
    .split('\n')
    .map((line) => text(JSON.parse(line) as Listed))
    .sort();

/** Stands between `epr` and the register; `broken` says which requests get no answer. */
async function startProxy(
  t: TestContext,
  target: string,
  broken: (path: string) => boolean,
): Promise<{ url: string; paths: string[] }> {
  const paths: string[] = [];
  const server: Server = createServer((incoming, outgoing) => {
    paths.push(incoming.url!);
    if (broken(incoming.url!)) return void incoming.socket.destroy();
    const onward = httpRequest(
      target + incoming.url!,
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
}

void t.test('exported and imported into another register, everything is the same', async (t) => {
  const first = await startRegister(t);
  const second = await startRegister(t);
  const cwd = temporaryFolder(t);
  const values: object[] = [
    {},
    { nothing: null, list: [1, [2, { deep: 'ж\u2028"\\\n' }]], constructor: 'x' },
    { small: 5e-324, large: 1.7976931348623157e308, whole: 9007199254740991, 10: 'b', 9: 'a' },
  ];
  const make = (i: number): string =>
    registration(i, values[i] ?? { n: i }, i % 3 === 0 ? 'demo-v2' : 'demo-v1');
  await importInto(first.url, cwd, lines(2300, make));
  const whole = await fleet(first.url);
  t.equal(whole.length, 2300);
  for (const file of ['fleet.ndjson', 'fleet.ndjson.gz']) {
    const exported = await runCli(['export', file, '--url', first.url], { cwd });
    t.equal(exported.code, 0, exported.stderr);
    t.match(exported.stdout, new RegExp(`^2,300 endpoints in .*: ${file}, [\\d,]+ bytes\\.\\n$`));
    const bytes = readFileSync(join(cwd, file));
    t.same(textsOf((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()), whole);
    t.notOk(existsSync(join(cwd, `${file}.part`)));
    t.notOk(existsSync(join(cwd, `${file}.part.epr-progress.json`)));
  }
  const imported = await runCli(['import', 'fleet.ndjson.gz', '--url', second.url], { cwd });
  t.equal(imported.code, 0, imported.stderr);
  t.match(imported.stdout, /2,300 registered, 0 failed/);
  t.same(await fleet(second.url), whole);
});

void t.test('only those that are asked for, to standard output', async (t) => {
  const { url } = await startRegister(t, {
    'kaa.applications.other.versions.other-v1': '',
    'kaa.applications.demo.versions.demo-v1': '',
    'kaa.applications.demo.versions.demo-v2': '',
  });
  const cwd = temporaryFolder(t);
  const versions = ['demo-v1', 'demo-v2', 'other-v1'];
  await importInto(
    url,
    cwd,
    lines(9, (i) => registration(i, { n: i }, versions[i % 3])),
  );
  const saved = await fetch(`${url}/api/v1/applications/demo/filters`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name":"few","mongoQuery":{"metadata":{"$elemMatch":{"key":"n","value":{"$lt":3}}}}}',
  });
  const { id } = (await saved.json()) as { id: string };
  const path = `${url}/api/v1/applications/demo/filters/${id}`;
  while (((await getJson(path)) as { status: string }).status !== 'active');
  const idsOf = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await runCli(['export', ...args, '--url', url], { cwd });
    t.equal(code, 0, stderr);
    t.match(stderr, /[\d,]+ endpoints in [^\n]*\.\n$/);
    return stdout === '' ? [] : textsOf(stdout).map((line) => (JSON.parse(line) as string[])[0]!);
  };
  t.same(await idsOf(), ['e0', 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8']);
  t.same(await idsOf('-', '--application', 'other'), ['e2', 'e5', 'e8']);
  t.same(await idsOf('-', '--app-version', 'demo-v2'), ['e1', 'e4', 'e7']);
  t.same(await idsOf('-', '--filter', id), ['e0', 'e1']);
  t.same(await idsOf('-', '--filter', id, '--app-version', 'demo-v2'), ['e1']);
  t.same(await idsOf('-', '--application', 'other', '--filter', id), []);
  t.equal(
    gunzipSync(await stdoutOf(['export', '--gzip', '--url', url]))
      .toString()
      .split('\n').length,
    10,
  );
  t.equal(
    gunzipSync(await stdoutOf(['export', '--gzip', '--filter', id, '--application', 'other', '--url', url]))
      .length,
    0,
  );
  const unknown = await runCli(['export', 'f.ndjson', '--filter', 'nope', '--url', url], { cwd });
  t.equal(unknown.code, 1);
  t.match(unknown.stderr, /^epr: The endpoints can not be listed \(404\): [^\n]*"nope"[^\n]*\n$/);
  t.notOk(existsSync(join(cwd, 'f.ndjson.part')));
  const misspelt = await runCli(['export', '--application', 'dmeo', '--url', url], { cwd });
  t.equal(misspelt.code, 1);
  t.match(misspelt.stderr, /^epr: The endpoints can not be listed \(404\): [^\n]*"dmeo"[^\n]*\n$/);
  const apart = ['--application', 'demo', '--app-version', 'other-v1'];
  const none = await runCli(['export', ...apart, '--url', url], { cwd });
  t.equal(none.code, 0);
  t.match(
    none.stderr,
    /^epr: the register has no such endpoint of the application "demo" and the version "other-v1"; are the names right\?\n/,
  );
});

function stdoutOf(args: string[]): Promise<Buffer> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => child.on('close', () => resolve(Buffer.concat(chunks))));
}

void t.test('interrupted, it goes on where it was, and nothing is missing or there twice', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  await importInto(
    url,
    cwd,
    lines(1800, (i) => registration(i, { n: i, text: 'x'.repeat(50) })),
  );
  const whole = await fleet(url);
  for (const file of ['a.ndjson', 'a.ndjson.gz']) {
    let pages = 0;
    let away = true;
    const proxy = await startProxy(t, url, () => away && ++pages > 1);
    const args = ['export', file, '--url', proxy.url];
    const failed = await runCli([...args, '--retry-for', '150ms'], { cwd });
    t.equal(failed.code, 1);
    t.match(
      failed.stderr.trimEnd().split('\n').at(-1),
      /^epr: No answer from .* 500 endpoints are in a\.ndjson(\.gz)?\.part; the same command with --resume goes on from there\.$/,
    );
    t.notOk(existsSync(join(cwd, file)));

    const other = await runCli([...args, '--resume', '--application', 'demo'], { cwd });
    t.equal(other.code, 2);
    t.match(
      other.stderr,
      /was being exported with \{\}; this is \{"applicationName":"demo"\}. Without --resume/,
    );

    // what a crash may leave: bytes beyond those that are known
    writeFileSync(join(cwd, `${file}.part`), 'half a li', { flag: 'a' });
    const stopped = startCli([...args, '--resume'], { cwd });
    await stopped.said('does not answer');
    stopped.child.kill('SIGINT');
    t.equal((await stopped.done).code, 130);
    t.match(stopped.stderr(), /Stopped after 500 endpoints\. .*--resume/);

    away = false;
    const seen = proxy.paths.length;
    const { code, stdout, stderr } = await runCli([...args, '--resume'], { cwd });
    t.equal(code, 0, stderr);
    t.match(stderr, /going on after 500 endpoints/);
    t.match(stdout, /^1,300 endpoints in .*, after 500 of an earlier run: a\.ndjson/);
    t.match(proxy.paths[seen], /cursor=/);
    const bytes = readFileSync(join(cwd, file));
    t.same(textsOf((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()), whole);
    t.notOk(existsSync(join(cwd, `${file}.part.epr-progress.json`)));
  }
  const nothing = await runCli(['export', 'b.ndjson', '--url', url, '--resume'], { cwd });
  t.equal(nothing.code, 0, 'with nothing to go on from, it begins');
});

void t.test('a register with small pages, and an empty one', async (t) => {
  const small = await startRegister(t, { 'limits.page-default': '3', 'limits.page-max': '7' });
  const cwd = temporaryFolder(t);
  await importInto(small.url, cwd, lines(20, registration));
  const { code, stdout, stderr } = await runCli(['export', '--url', small.url], { cwd });
  t.equal(code, 0, stderr);
  t.same(textsOf(stdout), await fleet2(small.url));
  const empty = await startRegister(t);
  for (const file of ['none.ndjson', 'none.ndjson.gz']) {
    t.equal((await runCli(['export', file, '--url', empty.url], { cwd })).code, 0);
    const bytes = readFileSync(join(cwd, file));
    t.equal((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).length, 0);
  }

  async function fleet2(url: string): Promise<string[]> {
    const found: Listed[] = [];
    for (let offset = 0; offset < 20; offset += 5) {
      const page = `${url}/api/v1/endpoints?include=metadata&limit=5&offset=${offset}`;
      found.push(...((await getJson(page)) as { content: Listed[] }).content);
    }
    return found.map(text).sort();
  }
});

void t.test('a file that is there stays, unless it may be replaced', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  await importInto(url, cwd, lines(3, registration));
  const file = join(cwd, 'f.ndjson');
  writeFileSync(file, 'mine');
  const refused = await runCli(['export', 'f.ndjson', '--url', url], { cwd });
  t.equal(refused.code, 2);
  t.equal(refused.stderr, 'epr: f.ndjson is there already. --force replaces it, once all is written.\n');
  t.equal(readFileSync(file, 'utf8'), 'mine');
  const failed = await runCli(
    ['export', 'f.ndjson', '--force', '--url', 'http://127.0.0.1:1', '--retry-for', '50ms'],
    { cwd },
  );
  t.equal(failed.code, 1);
  t.match(failed.stderr, /No answer from .*connection refused.*--url/);
  t.equal(readFileSync(file, 'utf8'), 'mine');
  t.notOk(existsSync(`${file}.part`));
  t.equal((await runCli(['export', 'f.ndjson', '--url', url, '--force'], { cwd })).code, 0);
  t.same(textsOf(readFileSync(file, 'utf8')), await fleet(url));
  t.match((await runCli(['export', '.', '--url', url, '--force'], { cwd })).stderr, /^epr: \. is not a file/);
  t.match(
    (await runCli(['export', 'no/f', '--url', url], { cwd })).stderr,
    /^epr: no\/f\.part .*no such folder/,
  );
  t.match((await runCli(['export', '-', '--resume'], { cwd })).stderr, /^epr: --resume needs a file/);
});

void t.test('a full disk and a reader that goes away', { skip: !existsSync('/dev/full') }, async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  await importInto(
    url,
    cwd,
    lines(1500, (i) => registration(i, { text: 'x'.repeat(1000) })),
  );
  symlinkSync('/dev/full', join(cwd, 'f.ndjson.part'));
  const full = await runCli(['export', 'f.ndjson', '--url', url], { cwd });
  t.equal(full.code, 1);
  t.equal(full.stderr, 'epr: f.ndjson.part can not be written: the disk is full.\n');
  const epr = `"${process.execPath}" "${MAIN}"`;
  const shell = async (script: string): Promise<string> => {
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await new Promise((resolve) => child.on('close', resolve));
    return output;
  };
  t.equal(
    await shell(`${epr} export --url ${url} > /dev/full; echo "code $?"`),
    'epr: Standard output can not be written: the disk is full.\ncode 1\n',
  );
  t.match(
    await shell(`${epr} export --url ${url} | head -n 1; echo "codes \${PIPESTATUS[*]}"`),
    /^\{"appVersion":[^\n]*\}\ncodes 0 0\n$/,
  );
});
