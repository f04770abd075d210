/** A client of this service that the auth server refuses is told at start, and so is an application without its resource. */
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import t from 'tap';
import { loadConfig } from '../../src/config/index.js';
import { startService } from '../../src/service.js';
import { answer, startPeerServer } from '../peers/support.js';
import { makeAccess, startIssuer } from './issuer.js';

void t.test('at start, in the log and in the health, until it is taken', async (t) => {
  const folder = t.testdir();
  let takes = false;
  const server = await startPeerServer(t, (response, asked) => {
    const url = `${server.url}/realms/kaa`;
    if (asked.url.endsWith('/token'))
      return takes
        ? answer(200, { access_token: 'x', expires_in: 300 })(response, asked)
        : answer(401, { error: 'unauthorized_client' })(response, asked);
    if (asked.url.endsWith('/certs')) return answer(200, { keys: [] })(response, asked);
    return answer(200, { issuer: url, jwks_uri: `${url}/certs`, token_endpoint: `${url}/token` })(
      response,
      asked,
    );
  });
  const logged: { level: number; msg: string }[] = [];
  const log = pino(
    new Writable({
      write(line: Buffer, _encoding, done) {
        logged.push(JSON.parse(line.toString()) as (typeof logged)[number]);
        done();
      },
    }),
  );
  const configOf = (secret: string) => {
    const set = {
      'server.port': '0',
      'server.host': '127.0.0.1',
      'management.port': '0',
      'workers.threads': '1',
      'storage.url': `file:${folder}/data`,
      'kaa.security.authentication.enabled': 'true',
      'kaa.security.authorization.enabled': 'true',
      'kaa.tenants.kaa.issuer': `${server.url}/realms/kaa`,
      'kaa.tenants.kaa.client-secret': secret,
      'kaa.applications.demo.versions.demo-v1': '',
    };
    const loaded = loadConfig({ argv: { set }, env: {}, cwd: '/nowhere', isTty: false });
    if (!loaded.ok) throw new Error(loaded.problems[0]!.message);
    return loaded.config;
  };
  const service = await startService(configOf('wrong'), log);
  t.teardown(() => service.stop());
  const details = async () => {
    const health = (await (await fetch(`${service.managementUrl}/health`)).json()) as {
      components: { security: { status: string; details: { clientsRefused?: Record<string, string> } } };
    };
    return health.components.security;
  };
  while ((await details()).details.clientsRefused === undefined) await sleep(20);
  t.match(await details(), { status: 'UP', details: { state: 'DEGRADED', clientsRefused: { kaa: /^401/ } } });
  t.match(
    logged.filter(({ level }) => level === 40).map(({ msg }) => msg),
    [/refuses the client epr of the tenant kaa.*set kaa\.tenants\.kaa\.client-id and client-secret/],
  );
  takes = true;
  service.reload(configOf('right'));
  while ((await details()).details.clientsRefused !== undefined) await sleep(20);
  t.ok(logged.some(({ msg }) => msg.includes('takes the client of this service again')));
});

void t.test('an application without its resource is told, once a minute', async (t) => {
  const issuer = await startIssuer(t, 'kaa');
  issuer.decide(answer(400, { error: 'invalid_resource' }));
  const { access, logged } = makeAccess(t, { kaa: issuer }, { roleGrants: {} });
  const caller = await access.authenticate(`Bearer ${await issuer.token()}`);
  if (!('token' in caller)) throw new Error('the token is not taken');
  for (const resource of ['endpoint-a', 'application-demo', 'application-other'])
    t.same(await access.decide(caller, 'application:read', [resource]), [false]);
  const told = logged.filter((line) => line.includes('has no resource'));
  t.equal(told.length, 1);
  t.match(told[0], /no resource application-demo.*make it at the client epr/);
});
