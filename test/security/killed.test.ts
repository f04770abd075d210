/** The whole service is killed between the auth server and its storage: what is left at the auth server goes with the next start. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { startService } from '../end-to-end/support/service.js';
import { request } from '../gateway/harness.js';
import { startKeycloak } from '../servers/index.js';
import { startGate } from './gate-support.js';
import { securedSettings } from './secured-service.js';

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const kaa = await keycloak.realm();
  const admin = await kaa.addUser('admin', ['endpoint-admin']);

  void t.test('kill -9 in the middle of a registration, and of an unregistration', async (t) => {
    const gate = await startGate(t, kaa.issuer);
    const service = await startService(t, {
      config: 'logging: { format: json }\n',
      settings: { ...securedSettings({ kaa }), 'kaa.tenants.kaa.auth-server-url': gate.url },
    });
    const authorization = `Bearer ${await admin.token()}`;
    const send = (method: string, path: string, body?: unknown) =>
      request(`${service.rest.url}/api/v1${path}`, method, body, { authorization });
    const register = (endpointId: string) =>
      send('POST', '/endpoints', { appVersion: { name: 'demo-v1' }, endpointId });
    t.equal((await register('stays')).status, 201);
    t.equal((await register('goes')).status, 201);

    /** Kills it when it is there, and answers when it is gone. */
    const killAt = async (when: 'asked' | 'answered', method: string, work: Promise<unknown>) => {
      const killed = new Promise<void>((resolve, reject) => {
        gate.at = (at, by) => {
          if (at !== when || by !== method) return undefined;
          gate.at = () => undefined;
          const kill = service.kill();
          kill.then(resolve, reject);
          return kill;
        };
      });
      await Promise.allSettled([work, killed]);
      await killed;
    };
    await killAt('answered', 'POST', register('orphan'));
    t.ok(await kaa.resource('endpoint-orphan'), 'its resource was made');
    await service.restart();
    t.equal((await send('GET', '/endpoints/orphan')).status, 404, 'it was not');
    while ((await kaa.resource('endpoint-orphan')) !== undefined) await pause(50);

    await killAt('asked', 'GET', send('DELETE', '/endpoints/goes'));
    t.ok(await kaa.resource('endpoint-goes'), 'its resource is there still');
    await service.restart();
    t.equal((await send('GET', '/endpoints/goes')).status, 404);
    while ((await kaa.resource('endpoint-goes')) !== undefined) await pause(50);

    t.equal((await send('GET', '/endpoints/stays')).status, 200);
    t.same(await kaa.resources('endpoint-'), ['endpoint-stays'], 'and nothing else was touched');
    t.equal((await register('orphan')).status, 201, 'the id is free');
  });
}
