/** A tenant that the tenant manager names, with the client and the secret that it names, on a real Keycloak. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startKeycloak, startTenantManager } from '../servers/index.js';
import { startSecuredService } from './secured-service.js';

interface Claims {
  iss: string;
  azp: string;
}

const keycloak = await startKeycloak(t);
if (keycloak !== undefined)
  void t.test('rights and resources in the realm of a tenant that comes, goes and comes back', async (t) => {
    const [kaa, acme] = await Promise.all([keycloak.realm(), keycloak.realm()]);
    const manager = await startTenantManager(t);
    const asked: Claims[] = [];
    manager.takes = (token) => {
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString('utf8')) as Claims;
      asked.push(claims);
      return true;
    };
    const row = {
      issuer: acme.issuer,
      client_backend_id: acme.clientId,
      client_backend_secret: acme.clientSecret,
    };
    manager.tenants['acme'] = row;
    const { as, reload } = await startSecuredService(
      t,
      { kaa },
      {
        'kaa.tenant-manager.enabled': 'true',
        'kaa.tenant-manager.url': manager.url,
        'kaa.applications.demo.tenant': 'acme',
      },
    );
    t.match(asked[0], { iss: kaa.issuer, azp: kaa.clientId }, 'asked in the name of the system tenant');

    const theirs = await acme.addUser('admin', ['endpoint-admin']);
    const ours = await kaa.addUser('admin', ['endpoint-admin']);
    const asTheirs = as(await theirs.token());
    const asOurs = as(await ours.token());
    const made = await asTheirs('POST', '/endpoints', { appVersion: { name: 'demo-v1' }, endpointId: 'm-1' });
    t.equal(made.status, 201, made.text);
    t.match(await acme.resource('endpoint-m-1'), { attributes: { creator: [theirs.id] } });
    t.equal((await asTheirs('GET', '/endpoints/m-1')).status, 200);
    t.equal((await asOurs('GET', '/endpoints/m-1')).status, 404);

    // a reading on SIGHUP
    const untilStatus = async (status: number) => {
      reload({});
      while ((await asTheirs('GET', '/endpoints/m-1')).status !== status) await pause(50);
    };
    delete manager.tenants['acme'];
    await untilStatus(401);
    t.equal((await asOurs('GET', '/endpoints')).status, 200);
    manager.tenants['acme'] = row;
    await untilStatus(200);
    t.equal((await asTheirs('DELETE', '/endpoints/m-1')).status, 204);
    while ((await acme.resource('endpoint-m-1')) !== undefined) await pause(50);
  });
