import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { runCli, startCli, temporaryFolder, type RunningCli } from './run-cli.js';
import { freePort, getJson, startRegister, startRegisterProcess } from './start-register.js';

const registration = (i: number, metadata: object = { n: i }): string =>
  JSON.stringify({ appVersion: { name: 'demo-v1' }, endpointId: `e${i}`, metadata });
const update = (i: number, set: object): string => JSON.stringify({ endpointId: `e${i}`, set });
const lines = (count: number, make: (i: number) => string): string =>
  `${Array.from({ length: count }, (_, i) => make(i)).join('\n')}\n`;

async function total(url: string): Promise<number> {
  return ((await getJson(`${url}/api/v1/endpoints?limit=1`)) as { totalElements: number }).totalElements;
}

async function metadataOf(url: string, id: string): Promise<unknown> {
  return getJson(`${url}/api/v1/endpoints/${id}/metadata`);
}

async function until(look: () => boolean, running: RunningCli): Promise<void> {
  while (!look()) {
    if (running.child.exitCode !== null)
      throw new Error(`it ended too early: ${running.stdout()}${running.stderr()}`);
    await sleep(10);
  }
}

void t.test('registrations and updates in one gzip file, then once more', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const content = lines(2500, registration) + '\n' + lines(2500, (i) => update(i, { n: -i }));
  writeFileSync(join(cwd, 'fleet.gz'), gzipSync(content));
  const first = await runCli(['import', 'fleet.gz', '--url', url], { cwd });
  t.equal(first.code, 0, first.stderr);
  t.match(first.stdout, /^5,001 lines in .*: 2,500 registered, 2,500 updated, 1 blank, 0 failed\.\n$/);
  t.equal(await total(url), 2500);
  t.same(await metadataOf(url, 'e2499'), { n: -2499 });
  t.notOk(existsSync(join(cwd, 'fleet.gz.epr-progress.json')));
  t.notOk(existsSync(join(cwd, 'fleet.gz.failures.ndjson')));

  const second = await runCli(['import', 'fleet.gz'], { cwd, env: { EPR_URL: url } });
  t.equal(second.code, 0, second.stderr);
  t.match(second.stdout, /2,500 already there, 2,500 updated, 1 blank, 0 failed/);
});

void t.test('standard input, and ids and tokens that the register is not given', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const input = lines(10, () => '{"appVersion":{"name":"demo-v2"}}');
  const { code, stdout, stderr } = await runCli(['import', '-', '--url', url, '--tokens', 'tokens'], {
    cwd,
    input,
  });
  t.equal(code, 0, stderr);
  t.match(stdout, /10 registered, 0 failed/);
  t.equal(await total(url), 10);
  const tokens = readFileSync(join(cwd, 'tokens'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  t.equal(tokens.length, 10);
  t.match(tokens[0], { endpointId: /^[0-9a-f-]{36}$/, endpointToken: /./ });
  t.equal(statSync(join(cwd, 'tokens')).mode & 0o077, 0, 'for its owner only');
});

void t.test('lines that fail go to a file with the reason, and the others are done', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const content = [
    registration(1),
    'nonsense',
    registration(2, { 'a.b': 1 }),
    registration(3, { deep: JSON.parse('['.repeat(40) + ']'.repeat(40)) as unknown }),
    registration(4),
    registration(4),
    update(1, { n: 7 }),
    update(99, { n: 7 }),
    '{"endpointId":"e1","set":{"n":8},"ifMatch":"\\"wrong\\""}',
  ].join('\n');
  writeFileSync(join(cwd, 'f.ndjson'), content);
  const { code, stdout, stderr } = await runCli(['import', 'f.ndjson', '--url', url], { cwd });
  t.equal(code, 3, stderr);
  t.match(stdout, /2 registered, 1 already there, 1 updated, 5 failed/);
  t.match(stdout, /f\.ndjson\.failures\.ndjson/);
  const failures = readFileSync(join(cwd, 'f.ndjson.failures.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(failures, [
    { line: 2, input: 'nonsense', code: 'invalid-line', message: /not JSON/ },
    { line: 3, code: 'invalid-metadata-key', message: /a\.b/ },
    { line: 4, message: /nested deeper/ },
    { line: 8, status: 404, code: 'endpoint-not-found', message: /e99/ },
    { line: 9, status: 412, code: 'precondition-failed' },
  ]);
  t.equal(failures.length, 5);
  t.same(await metadataOf(url, 'e1'), { n: 7 });
  t.equal(await total(url), 2);
});

void t.test('interrupted by Ctrl-C, it goes on where it was, and reports each failure once', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const count = 6000;
  await runCli(['import', '-', '--url', url], { cwd, input: lines(50, registration) });
  const file = join(cwd, 'u.ndjson');
  writeFileSync(
    file,
    lines(count, (i) => (i % 500 === 7 ? update(9999, { n: i }) : update(i % 50, { n: i }))),
  );
  const args = ['import', 'u.ndjson', '--url', url];
  const running = startCli([...args, '--rate', '1500/s'], { cwd });
  await until(() => existsSync(`${file}.epr-progress.json`), running);
  running.child.kill('SIGINT');
  const stopped = await running.done;
  t.equal(stopped.code, 130);
  t.match(
    stopped.stdout,
    /Stopped after line [\d,]+: .*\nFailed lines.*\nThe same command goes on from there/,
  );
  const progress = JSON.parse(readFileSync(`${file}.epr-progress.json`, 'utf8')) as {
    line: number;
    counts: { updated: number; failed: number };
  };
  t.ok(progress.line > 0 && progress.line < count, `line ${progress.line}`);
  t.equal(progress.counts.updated + progress.counts.failed, progress.line);

  const other = await runCli(['import', 'u.ndjson', '--url', 'http://127.0.0.1:1'], { cwd });
  t.equal(other.code, 2);
  t.match(other.stderr, /was being imported to .*--restart/);

  // what a crash may leave: failures beyond those that the progress knows
  writeFileSync(`${file}.failures.ndjson`, '{"line":99999}\n', { flag: 'a' });
  const again = await runCli(args, { cwd });
  t.equal(again.code, 3, again.stderr);
  t.match(again.stderr, /going on after line \d+/);
  const said =
    /^([\d,]+) lines in .*: ([\d,]+) updated, (\d+) failed\.\n.*earlier runs, ([\d,]+) lines: ([\d,]+) updated, (\d+) failed\.\n/;
  const [here, updated, failedHere, before, updatedBefore, failedBefore] = said
    .exec(again.stdout)!
    .slice(1)
    .map((text) => Number(text.replaceAll(',', '')));
  t.equal(here, count - progress.line, again.stdout);
  t.equal(before, progress.line);
  t.equal(updatedBefore, progress.counts.updated);
  t.equal(failedBefore, progress.counts.failed);
  t.equal(updated! + updatedBefore!, 5988);
  t.equal(failedHere! + failedBefore!, 12);
  const failed = readFileSync(`${file}.failures.ndjson`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { line: number }).line);
  t.same(
    failed,
    Array.from({ length: 12 }, (_, i) => i * 500 + 8),
  );
  t.notOk(existsSync(`${file}.epr-progress.json`));
  t.same(await metadataOf(url, 'e49'), { n: 5999 });
});

void t.test('a file that changed since is not gone on with, unless it begins again', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const file = join(cwd, 'f.ndjson');
  writeFileSync(file, lines(20, registration));
  const progress = {
    file: { size: 1, modified: '', hash: '' },
    url: `${url}/`,
    line: 5,
    counts: {},
    failuresBytes: 0,
  };
  writeFileSync(`${file}.epr-progress.json`, JSON.stringify(progress));
  const refused = await runCli(['import', 'f.ndjson', '--url', url], { cwd });
  t.equal(refused.code, 2);
  t.match(
    refused.stderr,
    /^epr: f\.ndjson has changed since its import was interrupted after line 5\. --restart/,
  );
  writeFileSync(`${file}.epr-progress.json`, '{');
  t.match((await runCli(['import', 'f.ndjson', '--url', url], { cwd })).stderr, /can not be used.*--restart/);
  t.equal(await total(url), 0);
  const restarted = await runCli(['import', 'f.ndjson', '--url', url, '--restart'], { cwd });
  t.equal(restarted.code, 0, restarted.stderr);
  t.equal(await total(url), 20);
});

void t.test('a register that is killed and comes back is waited for, and every line arrives', async (t) => {
  const folder = temporaryFolder(t);
  const cwd = temporaryFolder(t);
  const port = await freePort();
  const { running: first, url } = await startRegisterProcess(t, { folder, port });
  writeFileSync(
    join(cwd, 'f.ndjson'),
    lines(1000, registration) + lines(5000, (i) => update(i % 1000, { n: i })),
  );
  const running = startCli(['import', 'f.ndjson', '--url', url, '--rate', '2000/s'], { cwd });
  await until(() => existsSync(join(cwd, 'f.ndjson.epr-progress.json')), running);
  first.child.kill('SIGKILL');
  await running.said('does not answer');
  await startRegisterProcess(t, { folder, port });
  const { code, stdout, stderr } = await running.done;
  t.equal(code, 0, stderr);
  t.match(stderr, /answers again after/);
  t.match(stdout, /5,000 updated, 0 failed/);
  t.equal(await total(url), 1000);
  t.same(await metadataOf(url, 'e999'), { n: 4999 });
});

void t.test(
  'a register that is stopped and comes back: it does not wait for the import, which goes on',
  async (t) => {
    const folder = temporaryFolder(t);
    const cwd = temporaryFolder(t);
    const port = await freePort();
    const { running: first, url } = await startRegisterProcess(t, { folder, port });
    const content = lines(50, registration) + lines(4000, (i) => update(i % 50, { n: i }));
    writeFileSync(join(cwd, 'f.ndjson'), content);
    const running = startCli(['import', 'f.ndjson', '--url', url, '--rate', '1500/s'], { cwd });
    await until(() => existsSync(join(cwd, 'f.ndjson.epr-progress.json')), running);
    first.child.kill('SIGTERM');
    t.equal((await first.done).code, 0);
    t.equal(running.child.exitCode, null, 'the import is under way');
    await startRegisterProcess(t, { folder, port });
    const { code, stdout, stderr } = await running.done;
    t.equal(code, 0, stderr);
    t.match(stdout, /50 registered, 4,000 updated, 0 failed/);
    t.same(await metadataOf(url, 'e49'), { n: 3999 });
  },
);

void t.test('what can not go on says why in one line', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'f.ndjson'), lines(10, registration));
  const nobody = await runCli(['import', 'f.ndjson', '--url', 'http://127.0.0.1:1', '--retry-for', '200ms'], {
    cwd,
  });
  t.equal(nobody.code, 1);
  t.match(
    nobody.stderr.trim().split('\n').at(-1),
    /^epr: No answer from http:\/\/127\.0\.0\.1:1 .*connection refused.*--url/,
  );
  const unknown = await runCli(['import', '-', '--url', url], {
    cwd,
    input: '{"appVersion":{"name":"other-v1"}}',
  });
  t.equal(unknown.code, 3);
  t.match(unknown.stderr, /^epr: .*other-v1.*kaa\.applications\.<application>\.versions\.other-v1.*\n$/);
  t.match(unknown.stdout, / 1 failed/);
  const none = await runCli(['import', 'none.ndjson', '--url', url], { cwd });
  t.equal(none.code, 2);
  t.equal(none.stderr, 'epr: There is no file none.ndjson.\n');
});

void t.test('the lines of an unknown application version fail, the others are done', async (t) => {
  const { url } = await startRegister(t);
  const cwd = temporaryFolder(t);
  const other = (i: number): string => registration(i).replace('demo-v1', 'other-v1');
  const mixed = (i: number): string => (i % 2 === 0 ? registration(i) : other(i));
  writeFileSync(join(cwd, 'f.ndjson'), lines(20, mixed) + update(4, { n: 44 }));
  const { code, stdout, stderr } = await runCli(['import', 'f.ndjson', '--url', url], { cwd });
  t.equal(code, 3);
  t.match(stderr, /^epr: [^\n]*other-v1[^\n]*\n$/);
  t.match(stdout, /: 10 registered, 1 updated, 10 failed\./);
  const failures = readFileSync(join(cwd, 'f.ndjson.failures.ndjson'), 'utf8').trim().split('\n');
  t.equal(failures.length, 10);
  t.match(JSON.parse(failures[0]!), {
    line: 2,
    input: other(1),
    status: 404,
    code: 'application-version-not-found',
  });
  t.equal(await total(url), 10);
  t.same(await metadataOf(url, 'e4'), { n: 44 });

  const nobody = ['--url', 'http://127.0.0.1:1', '--retry-for', '1s'];
  const failed = await runCli(['import', 'f.ndjson', ...nobody], { cwd });
  t.equal(failed.code, 1);
  const kept = readFileSync(join(cwd, 'f.ndjson.failures.ndjson'), 'utf8').trim().split('\n');
  t.same(kept, failures, 'an import that got nowhere leaves what an earlier one found');
  writeFileSync(join(cwd, 'f.ndjson'), update(4, { n: 45 }));
  t.equal((await runCli(['import', 'f.ndjson', '--url', url], { cwd })).code, 0);
  t.notOk(existsSync(join(cwd, 'f.ndjson.failures.ndjson')), 'one that had none leaves none');
});

void t.test('the management port is told from a register', async (t) => {
  const { managementUrl } = await startRegister(t);
  const cwd = temporaryFolder(t);
  for (const input of [registration(1), update(1, {})]) {
    const { code, stderr } = await runCli(['import', '-', '--url', managementUrl], { cwd, input });
    t.equal(code, 1);
    t.match(stderr, /^epr: What answers at --url is not the REST port of a register \(404: .*\n$/);
  }
});

void t.test('a dry run checks every line and sends nothing', async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'f.ndjson'), lines(3, registration) + lines(2, (i) => update(i, {})));
  const good = await runCli(['import', 'f.ndjson', '--dry-run', '--url', 'http://127.0.0.1:1'], { cwd });
  t.equal(good.code, 0, good.stderr);
  t.equal(
    good.stdout,
    '5 lines, nothing sent. An import would\n  register 3 endpoints of demo-v1\n  send 2 metadata updates\n',
  );
  writeFileSync(join(cwd, 'f.ndjson'), 'x\n{}\n');
  const bad = await runCli(['import', 'f.ndjson', '--dry-run'], { cwd });
  t.equal(bad.code, 3);
  t.match(bad.stderr, /^line 1: .*\nline 2: .*endpointId/);
  t.notOk(existsSync(join(cwd, 'f.ndjson.failures.ndjson')));
});
