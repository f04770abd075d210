import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startNats } from '../servers/index.js';
import { runCli, startCli, temporaryFolder } from './run-cli.js';

const FREE_PORTS = ['--port', '0', '--set', 'management.port=0'];

void t.test(
  'refused by NATS: it serves, and health and log say what to do, without the password',
  async (t) => {
    const nats = await startNats(t, { config: 'authorization { user: u, password: r1ght }' });
    if (nats === undefined || !nats.managed) return;
    const cwd = temporaryFolder(t);
    const passwordFile = join(cwd, 'password');
    writeFileSync(passwordFile, 'wr0ng');
    const env = { NATS_URLS: nats.url, NATS_USERNAME: 'u', NATS_PASSWORD_FILE: passwordFile };
    const running = startCli(['serve', ...FREE_PORTS, '--set', 'logging.format=json'], { cwd, env });
    t.teardown(() => running.child.kill('SIGKILL'));
    await running.said('is ready');
    await running.said('NATS is not reached');
    const { managementUrl } = running
      .stdout()
      .split('\n')
      .filter((line) => line.includes('managementUrl'))
      .map((line) => JSON.parse(line) as { managementUrl: string })[0]!;
    const health = async () => {
      const answer = await fetch(`${managementUrl}/health/ready`);
      const { components } = (await answer.json()) as { components: { nats: { details: object } } };
      return { status: answer.status, nats: components.nats };
    };
    const refused = await health();
    t.equal(refused.status, 200);
    const remedy =
      /does not accept the credentials in nats.username and nats.password. Correct or renew them/;
    t.match(refused.nats, { status: 'UP', details: { connected: false, error: remedy } });
    t.match(running.stdout(), remedy);
    const metrics = await (await fetch(`${managementUrl}/metrics`)).text();
    t.match(metrics, /^epr_nats_connected 0$/m);
    t.match(metrics, /^epr_nats_connect_failures_total\{reason="authentication"\} [1-9]/m);
    writeFileSync(passwordFile, 'r1ght');
    await running.said('Connected to NATS.');
    t.match(await health(), { status: 200, nats: { details: { connected: true } } });
    running.child.kill('SIGTERM');
    t.equal((await running.done).code, 0);
    t.notMatch(running.stdout(), /wr0ng|r1ght/);
    const shown = await runCli(['config'], { cwd, env });
    t.match(shown.stdout, /^nats\.password +\*{8} +# environment, NATS_PASSWORD_FILE$/m);
    t.notMatch(shown.stdout, /wr0ng|r1ght/);
  },
);

void t.test('files for NATS that are missing or hold something else: one line, no start', async (t) => {
  const cwd = temporaryFolder(t);
  const serve = (key: string, path: string) =>
    runCli(['serve', ...FREE_PORTS, '--set', 'nats.urls=127.0.0.1:1', '--set', `${key}=${path}`], { cwd });
  const missing = await serve('nats.credentials-file', 'none.creds');
  t.match(
    missing.stderr,
    /nats.credentials-file: found .*none.creds \(no such file\); allowed: a file that can be read/,
  );
  t.not(missing.code, 0);
  writeFileSync(join(cwd, 'text'), 'hello');
  const wrong = await serve('nats.credentials-file', 'text');
  t.match(
    wrong.stderr,
    /^epr: NATS can not be connected to as it is configured. nats.credentials-file: .*text: it holds no JWT. Put there .*\n$/,
  );
  t.equal(wrong.code, 1);
  mkdirSync(join(cwd, 'folder'));
  t.match((await serve('nats.tls.ca-file', 'folder')).stderr, /nats.tls.ca-file: found .*it is a folder/);
  t.match((await serve('nats.tls.ca-file', 'text')).stderr, /nats.tls.ca-file: .*it holds no certificate/);
});
