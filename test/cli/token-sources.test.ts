/** Where the command line takes its tokens from, and where it sends them. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startIssuer, type Issuer } from '../security/issuer.js';
import { runCli, startCli, temporaryFolder, type TestContext } from './run-cli.js';
import { startRegister } from './start-register.js';

async function startSecured(t: TestContext, issuer: Issuer): Promise<string> {
  const { url } = await startRegister(t, {
    'kaa.security.authentication.enabled': 'true',
    'server.host': '127.0.0.1',
    'kaa.tenants.acme.issuer': issuer.url,
    'kaa.applications.demo.tenant': 'acme',
    'kaa.applications.demo.versions.demo-v1': '',
  });
  return url;
}

const NO_LOGINS = { XDG_CONFIG_HOME: '/nonexistent' };

void t.test('from a variable, a file, a flag; refused ones say what helps', async (t) => {
  const issuer = await startIssuer(t, 'acme');
  const url = await startSecured(t, issuer);
  const file = join(temporaryFolder(t), 'token');
  const token = await issuer.token();
  writeFileSync(file, `${token}\n`);
  for (const [args, env] of [
    [[], { EPR_TOKEN: token }],
    [[], { EPR_TOKEN_FILE: file }],
    [['--token', token], {}],
    [['--token-file', file], {}],
  ] as const) {
    const done = await runCli(['whoami', '--url', url, ...args], { env: { ...NO_LOGINS, ...env } });
    t.equal(done.code, 0, done.stderr);
    t.match(done.stdout, `alice, by ${issuer.url}\n`);
    t.match(done.stdout, /The token lasts .* more\.\nTaken by /);
    t.notMatch(done.stdout + done.stderr, token);
  }
  const run = async (env: Record<string, string>, ...args: string[]) => {
    const done = await runCli([...args, '--url', url], { env: { ...NO_LOGINS, EPR_DEBUG: '1', ...env } });
    t.notMatch(done.stdout + done.stderr, /eyJ/, 'no token is ever shown');
    return { code: done.code, text: done.stderr };
  };
  const old = await issuer.token({ exp: Math.floor(Date.now() / 1000) - 100 });
  t.match(await run({}, 'export'), {
    code: 1,
    text: `asks for a token (401): A valid access token is needed: Authorization: Bearer <token>. Log in: epr login --url ${url} (or give a token in EPR_TOKEN).`,
  });
  t.match(await run({}, 'watch'), { code: 1, text: `Log in: epr login --url ${url}` });
  for (const command of ['export', 'watch', 'whoami'])
    t.match(await run({ EPR_TOKEN: old }, command), {
      code: 1,
      text: /refuses the token \(401\): .*expired.* Give another one in EPR_TOKEN/,
    });
  writeFileSync(file, old);
  t.match(await run({ EPR_TOKEN_FILE: file }, 'export'), { code: 1, text: `Put another one into ${file}.` });
  t.match(await run({ EPR_TOKEN: token, EPR_TOKEN_FILE: file }, 'export'), {
    code: 2,
    text: 'There are two tokens',
  });
  t.match(await run({ EPR_TOKEN: `${token} x` }, 'export'), { code: 2, text: /is no token/ });
  t.match(await run({ EPR_TOKEN_FILE: `${file}.none` }, 'export'), { code: 2, text: 'can not be read' });
});

void t.test('a token that ends in the middle of an import and of a stream is replaced', async (t) => {
  const issuer = await startIssuer(t, 'acme');
  const url = await startSecured(t, issuer);
  const folder = temporaryFolder(t);
  const file = join(folder, 'token');
  // the leeway of 30 s has nearly gone by
  const short = () => issuer.token({ exp: Math.floor(Date.now() / 1000) - 27 });
  writeFileSync(file, await issuer.token());
  const env = { ...NO_LOGINS, EPR_TOKEN_FILE: file };
  const registrations = join(folder, 'fleet.ndjson');
  const line = (n: number) => ({ appVersion: { name: 'demo-v1' }, endpointId: `kettle-${n}` });
  writeFileSync(registrations, [1, 2, 3].map((n) => JSON.stringify(line(n))).join('\n'));
  t.equal((await runCli(['import', registrations, '--url', url], { cwd: folder, env })).code, 0);

  const updates = join(folder, 'updates.ndjson');
  const count = 300;
  const update = (n: number) => JSON.stringify({ endpointId: `kettle-${(n % 3) + 1}`, set: { n } });
  writeFileSync(updates, Array.from({ length: count }, (_, n) => update(n)).join('\n'));
  writeFileSync(file, await short());
  const watching = startCli(['watch', '--url', url, '--json', '--type', 'metadata-updated'], { env });
  t.teardown(() => watching.child.kill('SIGKILL'));
  await watching.said('waiting for events');
  const importing = startCli(['import', updates, '--url', url, '--rate', '60/s'], { cwd: folder, env });
  const later = await issuer.token();
  writeFileSync(file, later);
  const done = await importing.done;
  t.equal(done.code, 0, done.stderr);
  t.match(done.stdout, /300 updated, 0 failed/);
  t.notMatch(done.stdout + done.stderr, /eyJ/);
  const seen = () => watching.stdout().split('\n').length - 1;
  while (seen() < count) {
    t.equal(watching.child.exitCode, null, watching.stderr());
    await sleep(50);
  }
  watching.child.kill('SIGINT');
  t.equal((await watching.done).code, 0);
  t.equal(seen(), count, 'each is seen once');
});

void t.test('a token is sent to the register and to nobody that it points to', async (t) => {
  const asked: (string | undefined)[] = [];
  const other = createServer((request, response) => {
    asked.push(request.headers.authorization);
    response.end('{}');
  });
  const server = createServer((_request, response) => {
    response.writeHead(307, { location: `${urlOf(other)}/api/v1/endpoints` }).end();
  });
  for (const each of [server, other]) {
    await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    t.teardown(() => each.close());
  }
  const done = await runCli(['export', '--url', urlOf(server)], {
    env: { ...NO_LOGINS, EPR_TOKEN: 'secret' },
  });
  t.equal(done.code, 1);
  t.same(asked, []);
});

function urlOf(server: ReturnType<typeof createServer>): string {
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
