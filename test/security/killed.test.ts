/** The whole service is killed between the auth server and its storage: what is left at the auth server goes with the next start. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startService } from '../end-to-end/support/service.js';
import { request } from '../gateway/harness.js';
import { startKeycloak } from '../servers/index.js';
import { securedSettings } from './secured-service.js';

interface Gate {
  url: string;
  /** Awaited with each question about resources, before it is asked and before it is answered. */
  at: (when: 'asked' | 'answered', method: string) => Promise<void> | undefined;
}

/** Stands between the register and the auth server, which is to be asked as if nobody did. */
async function startGate(t: Test, issuer: string): Promise<Gate> {
  const target = new URL(issuer);
  const gate: Gate = { url: '', at: () => undefined };
  async function pass(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/', headers } = asked;
    const isOfResources = url.includes('/authz/protection/resource_set');
    if (isOfResources) await gate.at('asked', method);
    const sent = Object.entries(headers).filter(([name]) =>
      /^(accept|authorization|content-type)$/.test(name),
    );
    const answer = await fetch(`${target.origin}${url}`, {
      method,
      headers: Object.fromEntries(sent) as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    });
    const body = await answer.arrayBuffer();
    if (isOfResources) await gate.at('answered', method);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(Buffer.from(body));
  }
  const server = createServer((asked, response) => {
    pass(asked, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  gate.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${target.pathname}`;
  return gate;
}

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
