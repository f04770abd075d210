/** Lines that the register takes from nobody, or not from who imports: they fail with its reason, the others go on. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startIssuer } from '../security/issuer.js';
import { runCli, temporaryFolder } from './run-cli.js';
import { startRegister } from './start-register.js';

void t.test('nothing but one refusal: it stops, unless it is to go on', async (t) => {
  const issuer = await startIssuer(t, 'acme');
  const { url } = await startRegister(t, settingsOf(issuer.url));
  const cwd = temporaryFolder(t);
  const permissions = [{ rsname: 'application-demo', scopes: ['application:endpoint:create'] }];
  const env = { EPR_TOKEN: await issuer.token({ aud: 'epr', authorization: { permissions } }) };
  const run = (...more: string[]) =>
    runCli(['import', 'f.ndjson', '--url', url, '--concurrency', '1', ...more], { cwd, env });
  const write = (...lines: string[]) => writeFileSync(join(cwd, 'f.ndjson'), lines.join('\n'));
  const many = (version: string, count: number) => Array.from({ length: count }, (_, i) => line(version, i));
  const stops = async (reason: RegExp, remedy: RegExp, ...flags: string[]) => {
    const { code, stdout, stderr } = await run(...flags);
    t.equal(code, 1, stdout);
    t.match(stderr, reason);
    t.match(stderr, remedy);
    t.match(stderr, /The same command begins anew; with --keep-going it goes through the whole file/);
    t.notMatch(stderr, /the same command goes on from there/);
    t.notOk(existsSync(join(cwd, 'f.ndjson.epr-progress.json')));
  };

  write(...many('denied-v1', 20_000));
  await stops(
    /The first 1,000 lines were all refused \(403, forbidden\).*on application-denied\./,
    /rights of the tenant grant it/,
  );
  const kept = await run('--keep-going');
  t.equal(kept.code, 3, kept.stderr);
  t.match(kept.stdout, /: 20,000 failed\./);
  write(...many('foreign-v1', 3000));
  await stops(
    /lines were all refused \(404, application-(version-)?not-found\)/,
    /of the tenant that has it/,
  );
  write(
    ...Array.from({ length: 3000 }, (_, i) => JSON.stringify({ endpointId: `none-${i}`, set: { a: 1 } })),
  );
  await stops(/refused \(404, endpoint-not-found\)/, /Register the endpoints first/);

  write(...many('demo-v1', 1), ...many('denied-v1', 3000));
  const some = await run();
  t.equal(some.code, 3, some.stderr);
  t.match(some.stdout, /: 1 registered, 3,000 failed\./, 'one was taken');
  write(...many('denied-v1', 999), ...many('foreign-v1', 3000));
  const two = await run();
  t.equal(two.code, 3, two.stderr);
  t.match(two.stdout, /: 3,999 failed\./, 'not all for one reason');
});

void t.test('versions of another tenant, and without the right', async (t) => {
  const issuer = await startIssuer(t, 'acme');
  const { url } = await startRegister(t, settingsOf(issuer.url));
  const cwd = temporaryFolder(t);
  const lines = ['demo-v1', 'foreign-v1', 'denied-v1', 'demo-v1'].map(line);
  writeFileSync(join(cwd, 'f.ndjson'), lines.join('\n'));
  const permissions = [{ rsname: 'application-demo', scopes: ['application:endpoint:create'] }];
  const token = await issuer.token({ aud: 'epr', authorization: { permissions } });
  const run = () => runCli(['import', 'f.ndjson', '--url', url], { cwd, env: { EPR_TOKEN: token } });

  const { code, stdout, stderr } = await run();
  t.equal(code, 3, stderr);
  t.match(stdout, /: 2 registered, 2 failed\./);
  t.match(stderr, /register endpoints of foreign-v1 fail, the others go on\. .*of the tenant that has it/);
  t.match(stderr, /register endpoints of denied-v1 fail, the others go on\. .*rights of the tenant grant it/);
  t.notMatch(stderr, 'is not the REST port');
  const failures = readFileSync(join(cwd, 'f.ndjson.failures.ndjson'), 'utf8').trim().split('\n');
  t.match(
    failures.map((each) => JSON.parse(each) as unknown),
    [
      { line: 2, input: lines[1]!, status: 404, code: /^application(-version)?-not-found$/ },
      {
        line: 3,
        input: lines[2]!,
        status: 403,
        code: 'forbidden',
        message: 'The caller is not granted application:endpoint:create on application-denied.',
      },
    ],
  );

  writeFileSync(join(cwd, 'f.ndjson'), line('denied-v1', 9));
  const all = await run();
  t.equal(all.code, 3);
  t.match(all.stderr, 'The caller is not granted application:endpoint:create on application-denied.');
});

const line = (version: string, i: number): string =>
  JSON.stringify({ appVersion: { name: version }, endpointId: `${version}-${i}` });

/** An application with rights given one by one, one without, and one of another tenant. */
function settingsOf(issuer: string): Record<string, string> {
  return {
    'kaa.security.authentication.enabled': 'true',
    'kaa.security.authorization.enabled': 'true',
    'kaa.security.endpoint-resources': 'false',
    'server.host': '127.0.0.1',
    'kaa.tenants.acme.issuer': issuer,
    'kaa.tenants.globex.issuer': 'http://127.0.0.1:1/realms/globex',
    'kaa.applications': JSON.stringify({
      demo: { tenant: 'acme', versions: { 'demo-v1': null } },
      denied: { tenant: 'acme', versions: { 'denied-v1': null } },
      foreign: { tenant: 'globex', versions: { 'foreign-v1': null } },
    }),
  };
}
