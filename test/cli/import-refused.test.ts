/** Lines that the register takes from nobody, or not from who imports: they fail with its reason, the others go on. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startIssuer } from '../security/issuer.js';
import { runCli, temporaryFolder } from './run-cli.js';
import { startRegister } from './start-register.js';

void t.test('versions of another tenant, and without the right', async (t) => {
  const issuer = await startIssuer(t, 'acme');
  const { url } = await startRegister(t, {
    'kaa.security.authentication.enabled': 'true',
    'kaa.security.authorization.enabled': 'true',
    'kaa.security.endpoint-resources': 'false',
    'server.host': '127.0.0.1',
    'kaa.tenants.acme.issuer': issuer.url,
    'kaa.tenants.globex.issuer': 'http://127.0.0.1:1/realms/globex',
    'kaa.applications': JSON.stringify({
      demo: { tenant: 'acme', versions: { 'demo-v1': null } },
      denied: { tenant: 'acme', versions: { 'denied-v1': null } },
      foreign: { tenant: 'globex', versions: { 'foreign-v1': null } },
    }),
  });
  const cwd = temporaryFolder(t);
  const line = (version: string, i: number): string =>
    JSON.stringify({ appVersion: { name: version }, endpointId: `${version}-${i}` });
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
