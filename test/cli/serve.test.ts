import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runCli, startCli, temporaryFolder, type RunningCli, type TestContext } from './run-cli.js';

const FREE_PORTS = ['--port', '0', '--set', 'management.port=0'];

interface Entry {
  level: string;
  msg: string;
  url?: string;
  managementUrl?: string;
}

const entriesOf = (running: RunningCli): Entry[] =>
  running
    .stdout()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry);

async function startServe(
  t: TestContext,
  args: string[],
  cwd: string,
): Promise<{ running: RunningCli; url: string }> {
  const running = startCli(['serve', ...FREE_PORTS, '--set', 'logging.format=json', ...args], { cwd });
  t.teardown(() => running.child.kill('SIGKILL'));
  await running.said('is ready');
  return { running, url: entriesOf(running).find(({ url }) => url !== undefined)!.url! };
}

void t.test('with logging.format json it says everything as log lines, and stops gracefully', async (t) => {
  const cwd = temporaryFolder(t);
  const { running, url } = await startServe(t, ['--data', 'here'], cwd);
  const ready = entriesOf(running).find(({ msg }) => msg.includes('ready'))!;
  t.match(ready, {
    level: 'info',
    stores: /\.?\/?here/,
    next: [/^curl .*demo-v1.*\/endpoints$/, /^curl /, /^epr watch/],
    authentication: /off; safe/,
    NATS: /not configured/,
    applications: /demo-v1/,
  });
  const body = '{"appVersion":{"name":"demo-v1"},"endpointId":"kettle-1"}';
  const answer = await fetch(`${url}/api/v1/endpoints`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
  t.equal(answer.status, 201);
  t.equal((await fetch(`${ready.managementUrl}/health/ready`)).status, 200);
  running.child.kill('SIGTERM');
  const { code, signal } = await running.done;
  t.equal(code, 0);
  t.equal(signal, null);
  t.equal(entriesOf(running).at(-1)!.msg, 'stopped');

  const { url: again } = await startServe(t, ['--data', 'here'], cwd);
  t.equal((await fetch(`${again}/api/v1/endpoints/kettle-1`)).status, 200, 'what was stored is there');
});

void t.test('for people it says what to try, and that works', async (t) => {
  const cwd = temporaryFolder(t);
  const running = startCli(['serve', ...FREE_PORTS, '--set', 'logging.format=pretty'], { cwd });
  t.teardown(() => running.child.kill('SIGKILL'));
  await running.said('epr watch --url');
  const text = running.stdout();
  t.match(text, /^Endpoint register \d+\.\d+\.\d+ is ready\n/);
  const [, body, url] = /-d '([^']+)' (\S+)/.exec(text)!;
  const answer = await fetch(url!, {
    method: 'POST',
    body: body!,
    headers: { 'content-type': 'application/json' },
  });
  t.equal(answer.status, 201);
  running.child.kill('SIGINT');
  t.equal((await running.done).code, 0);
});

void t.test('a port that is taken is one line with the remedy', async (t) => {
  const cwd = temporaryFolder(t);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const port = String((taken.address() as { port: number }).port);
  const { code, stderr } = await runCli(['serve', '--port', port, '--set', 'management.port=0'], { cwd });
  t.equal(code, 1);
  t.match(stderr, new RegExp(`^epr: .*127\\.0\\.0\\.1 port ${port}.*server\\.port.*\\n$`));
  const side = await runCli(['serve', '--port', '0', '--set', `management.port=${port}`], { cwd });
  t.equal(side.code, 1);
  t.match(side.stderr, /^epr: .*management\.port.*\n$/);
  t.same(readdirSync(cwd), [], 'nothing was created');
});

void t.test('two registers do not share a port', async (t) => {
  const { url } = await startServe(t, [], temporaryFolder(t));
  const { code, stderr } = await runCli(
    ['serve', '--port', new URL(url).port, '--set', 'management.port=0'],
    { cwd: temporaryFolder(t) },
  );
  t.equal(code, 1);
  t.match(stderr, /^epr: Can't listen on .*\n$/);
});

void t.test('a data folder that is a file is one line', async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, 'file'), '');
  const { code, stderr } = await runCli(['serve', ...FREE_PORTS, '--data', 'file'], { cwd });
  t.equal(code, 1);
  t.match(stderr, /^epr: .*file.*\n$/);
});

void t.test(
  'a data folder that can not be made is said at once',
  { skip: !existsSync('/proc/self') && 'no /proc here' },
  async (t) => {
    const { code, stderr } = await runCli(['serve', ...FREE_PORTS, '--data', '/proc/x/y'], {
      cwd: temporaryFolder(t),
    });
    t.equal(code, 1);
    t.match(stderr, /^epr: No folder can be made in \/proc, .*\/proc\/x.*storage\.url.*\n$/);
  },
);

void t.test(
  'a terminal that is closed stops it gracefully',
  { skip: spawnSync('script', ['--version']).status !== 0 && 'no script(1) here to make a terminal' },
  async (t) => {
    const cwd = temporaryFolder(t);
    const main = fileURLToPath(new URL('../../src/main.js', import.meta.url));
    const command = `"${process.execPath}" "${main}" serve ${FREE_PORTS.join(' ')} --data here`;
    // the outer shell ends with its terminal, and its group hears of it; the inner one stays to tell the code
    const shells = `sh -c 'trap : HUP; ${command}; echo $? > code'; true`;
    const terminal = spawn('script', ['-qec', shells, '/dev/null'], { cwd });
    let shown = '';
    await new Promise<void>((resolve, reject) => {
      terminal.stdout.on('data', (chunk: Buffer) => {
        shown += chunk.toString();
        if (shown.includes('is ready')) resolve();
      });
      terminal.on('close', () => reject(new Error(`it ended: ${shown}`)));
    });
    terminal.kill('SIGKILL');
    const code = join(cwd, 'code');
    while (!existsSync(code) || readFileSync(code, 'utf8') === '') await sleep(20);
    t.equal(readFileSync(code, 'utf8'), '129\n', 'by the signal');
    t.notOk(existsSync(join(cwd, 'here', 'epr.lock')), 'the folder was given back');
  },
);

void t.test('SIGHUP takes up the file; a faulty one changes nothing', async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, 'epr.yml');
  const write = (text: string): void => writeFileSync(file, text);
  write('kaa:\n  applications:\n    one:\n      versions:\n        one-v1:\n');
  const { running, url } = await startServe(t, ['--config', file], cwd);
  const register = async (version: string): Promise<number> => {
    const body = JSON.stringify({ appVersion: { name: version } });
    return (
      await fetch(`${url}/api/v1/endpoints`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      })
    ).status;
  };
  t.equal(await register('two-v1'), 404);
  write('kaa:\n  applications:\n    two:\n      versions:\n        two-v1:\nworkers:\n  threads: 3\n');
  running.child.kill('SIGHUP');
  await running.said('in force');
  await running.said('workers.threads');
  t.equal(await register('two-v1'), 201);
  t.equal(await register('one-v1'), 404);
  write('nonsense: 1\n');
  running.child.kill('SIGHUP');
  await running.said('was not taken up');
  t.equal(await register('two-v1'), 201);
  running.child.kill('SIGTERM');
  t.equal((await running.done).code, 0);
});
