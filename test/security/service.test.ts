/** Authentication as an installation turns it on: by its configuration, on the whole service. */
import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startService } from '../../src/service.js';
import { request } from '../gateway/harness.js';
import { startIssuer } from './issuer.js';

void t.test('turned on by the configuration, tenants follow it', async (t) => {
  const [acme, late] = [await startIssuer(t, 'acme'), await startIssuer(t, 'late')];
  const configOf = (tenants: Record<string, string>, signIn: Record<string, string> = {}) => {
    const loaded = loadConfig({
      argv: {
        set: {
          'kaa.security.authentication.enabled': 'true',
          'kaa.applications.kettle.tenant': 'acme',
          'kaa.applications.kettle.versions.kettle-v1': '',
          'server.port': '0',
          'management.port': '0',
          'storage.url': `file:${t.testdir()}/data`,
          ...Object.fromEntries(
            Object.entries(tenants).map(([name, url]) => [`kaa.tenants.${name}.issuer`, url]),
          ),
          ...Object.fromEntries(
            Object.entries(signIn).map(([name, value]) => [`kaa.security.sign-in.${name}`, value]),
          ),
        },
      },
      env: {},
      cwd: t.testdir(),
      isTty: false,
      replicaId: 'test',
    });
    if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join('\n'));
    return loaded.config;
  };
  const service = await startService(configOf({ acme: acme.url }), pino({ level: 'silent' }));
  t.teardown(() => service.stop());
  const list = async (token?: string) =>
    request(
      `${service.url}/api/v1/applications`,
      'GET',
      undefined,
      token === undefined ? {} : { authorization: `Bearer ${token}` },
    );
  const bare = await list();
  t.equal(bare.status, 401);
  t.equal(bare.headers.get('www-authenticate'), 'Bearer realm="epr"');
  t.match((await list(await acme.token())).text, /"kettle"/);
  t.match((await request(`${service.managementUrl}/health`, 'GET')).json, {
    status: 'UP',
    authentication: 'on',
    components: { security: { status: 'UP', details: { keySets: { acme: { keys: 1 } } } } },
  });
  t.match(
    (await request(`${service.managementUrl}/metrics`, 'GET')).text,
    /epr_tokens_total\{result="verified"\} 1/,
  );

  const signIn = async (path = '') =>
    (await request(`${service.url}/api/v1/sign-in${path}`, 'GET')).json as unknown;
  const ofAcme = { name: 'acme', issuer: acme.url, consoleClientId: 'epr-console', cliClientId: 'epr-cli' };
  t.same(await signIn(), { authentication: true, listed: true, tenants: [ofAcme] });
  t.same(await signIn('?tenant=late'), { authentication: true, listed: true, tenants: [] });

  const [known, other] = [await acme.token(), await late.token()];
  t.equal((await list(known)).status, 200);
  t.equal((await list(other)).status, 401);
  t.match(service.reload(configOf({ late: late.url })), { restart: [] });
  t.equal((await list(known)).status, 401, 'the tenant is gone, and with it what was verified');
  const theirs = await list(other);
  t.equal(theirs.status, 200);
  t.notMatch(theirs.text, /kettle/);

  const unlisted = configOf(
    { acme: acme.url, late: late.url },
    { 'list-tenants': 'false', 'cli-client-id': 'tool' },
  );
  t.match(service.reload(unlisted), { restart: [] });
  t.same(await signIn(), { authentication: true, listed: false, tenants: [] });
  t.same(await signIn('?tenant=acme'), {
    authentication: true,
    listed: true,
    tenants: [{ ...ofAcme, cliClientId: 'tool' }],
  });
});
