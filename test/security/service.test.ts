/** Authentication as an installation turns it on: by its configuration, on the whole service. */
import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startService } from '../../src/service.js';
import { request } from '../gateway/harness.js';
import { startIssuer } from './issuer.js';

void t.test('turned on by the configuration, tenants follow it', async (t) => {
  const [acme, late] = [await startIssuer(t, 'acme'), await startIssuer(t, 'late')];
  const configOf = (tenants: Record<string, string>) => {
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

  const [known, other] = [await acme.token(), await late.token()];
  t.equal((await list(known)).status, 200);
  t.equal((await list(other)).status, 401);
  t.match(service.reload(configOf({ late: late.url })), { restart: [] });
  t.equal((await list(known)).status, 401, 'the tenant is gone, and with it what was verified');
  const theirs = await list(other);
  t.equal(theirs.status, 200);
  t.notMatch(theirs.text, /kettle/);
});
