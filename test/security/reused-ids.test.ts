/** An endpoint that has the id of an earlier one has none of the rights that were given on that one. */
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startService } from '../end-to-end/support/service.js';
import { request } from '../gateway/harness.js';
import { startKeycloak } from '../servers/index.js';
import { startGate } from './gate-support.js';
import { securedSettings } from './secured-service.js';

const keycloak = await startKeycloak(t);
if (keycloak !== undefined) {
  const kaa = await keycloak.realm();
  const [alice, erin] = await Promise.all([kaa.addUser('alice', ['endpoint-admin']), kaa.addUser('erin')]);

  /** The service, behind a gate to the auth server, and what both users are answered. */
  async function startGated(t: Test) {
    const gate = await startGate(t, kaa.issuer);
    const service = await startService(t, {
      config: 'logging: { format: json }\n',
      settings: { ...securedSettings({ kaa }), 'kaa.tenants.kaa.auth-server-url': gate.url },
    });
    const as = (token: string) => (method: string, path: string, body?: unknown) =>
      request(`${service.rest.url}/api/v1${path}`, method, body, { authorization: `Bearer ${token}` });
    const [asAlice, asErin] = [as(await alice.token()), as(await erin.token())];
    /** As a client does, which tries again. */
    const register = async (endpointId: string, owner: string) => {
      const wish = { appVersion: { name: 'demo-v1' }, endpointId, metadata: { owner } };
      for (;;) {
        const answer = await asAlice('POST', '/endpoints', wish);
        if (answer.status !== 503) return answer.status;
        await pause(50);
      }
    };
    const mayRead = (...ids: string[]) =>
      kaa.permit({ resources: ids.map((id) => `endpoint-${id}`), scopes: ['endpoint:read'], users: [erin] });
    /** The status, and what is in lists. */
    const read = async (endpointId: string) => {
      const { status } = await asErin('GET', `/endpoints/${endpointId}?include=metadata`);
      const list = (await asErin('GET', '/endpoints')).json as { content: { endpointId: string }[] };
      return { status, listed: list.content.map((each) => each.endpointId) };
    };
    return { gate, service, asAlice, register, mayRead, read };
  }

  const idOf = async (endpointId: string) => (await kaa.resource(`endpoint-${endpointId}`))?._id;

  void t.test('the auth server was away when the earlier one was removed', async (t) => {
    const { gate, asAlice, register, mayRead, read } = await startGated(t);
    t.equal(await register('again', 'old'), 201);
    await mayRead('again');
    t.same(await read('again'), { status: 200, listed: ['again'] });
    const earlier = await idOf('again');
    // what is to be removed is not asked for before somebody registers it again
    let isBack = false;
    gate.at = (_when, method) => {
      if (isBack && method === 'POST') gate.at = () => undefined;
      else return Promise.reject(new Error('away'));
      return undefined;
    };
    t.equal((await asAlice('DELETE', '/endpoints/again')).status, 204);
    isBack = true;
    t.equal(await register('again', 'new'), 201);
    t.same(await read('again'), { status: 403, listed: [] });
    t.not(await idOf('again'), earlier);

    await mayRead('again');
    const asked = await idOf('again');
    const other = 'behind-it';
    t.equal(await register(other, 'new'), 201);
    t.equal((await asAlice('DELETE', `/endpoints/${other}`)).status, 204);
    while ((await idOf(other)) !== undefined) await pause(50);
    t.equal(await idOf('again'), asked, 'what is given on the new one stays');
    await asAlice('DELETE', '/endpoints/again');
  });

  void t.test('kill -9 while many are removed', async (t) => {
    const { gate, service, asAlice, register, mayRead, read } = await startGated(t);
    // more than are removed at once, in the order in which they are
    const ids = Array.from({ length: 20 }, (_, i) => `many-${String(i).padStart(2, '0')}`);
    const last = ids.at(-1)!;
    for (const id of ids) t.equal(await register(id, 'old'), 201);
    await mayRead(last);
    t.same(await read(last), { status: 200, listed: [last] });
    const earlier = await idOf(last);
    const never = new Promise<void>(() => undefined);
    gate.at = (_when, method, url) =>
      method === 'GET' && !url.includes(`name=endpoint-${last}`) ? never : undefined;
    const removed = await asAlice('POST', '/endpoints/delete', { endpointIds: ids });
    t.equal((removed.json as { deleted: string[] }).deleted.length, ids.length);
    await service.kill();
    t.equal(await idOf(last), earlier, 'not removed yet');
    await service.restart();
    t.equal(await register(last, 'new'), 201);
    t.same(await read(last), { status: 403, listed: [] });
    t.not(await idOf(last), earlier);
  });
}
