import t, { type Test } from 'tap';
import {
  encodeBroadcastConfiguration,
  encodeServiceConfiguration,
  encodeTenantEvent,
} from '../../src/avro/index.js';
import type { ConfigurationChange, TenantChange } from '../../src/messaging/index.js';
import { startNats } from '../servers/index.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

const TO_ALL = 'kaa.v1.events.tekton.service.configuration';
const TO_THIS = 'kaa.v1.service.epr.scmp.configuration';
const TENANTS = 'kaa.v1.events.tenant-manager.tenant.lifecycle';
const from = { configurationProvider: 'tekton', tenantManager: 'tenant-manager' };

function createListener<T>() {
  const changes: T[] = [];
  const state = { missed: 0 };
  return {
    changes,
    state,
    changed: (change: T) => void changes.push(change),
    missed: () => void state.missed++,
  };
}

async function startReplica(t: Test, url: string, options: Parameters<typeof startMessaging>[3] = {}) {
  const configuration = createListener<ConfigurationChange>();
  const tenants = createListener<TenantChange>();
  const started = await startMessaging(
    t,
    url,
    createMemoryOutbox(),
    { ...from, ...options },
    undefined,
    undefined,
    { onConfiguration: configuration, onTenant: tenants },
  );
  // the server has the subscriptions by then
  await until(() => configuration.state.missed === 1 && tenants.state.missed === 1);
  return { ...started, configuration, tenants };
}

const update = {
  correlationId: 'c',
  timestamp: 1,
  originatorReplicaId: 't1',
  tenantID: null,
  appName: null,
  appVerName: null,
};

void t.test('configuration and tenants: every replica hears every message', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const replicas = [await startReplica(t, nats.url), await startReplica(t, nats.url)];
  const client = await connectTo(t, nats.url);
  client.publish(`${TO_ALL}.upsert`, encodeBroadcastConfiguration(update));
  client.publish(
    `${TO_ALL}.delete`,
    encodeBroadcastConfiguration({ ...update, tenantID: 'kaa', appName: 'app' }),
  );
  const own = { correlationId: 'd', timestamp: 2, tenantID: 'kaa', appName: 'app', appVerName: 'app-v1' };
  client.publish(`${TO_THIS}.upsert`, encodeServiceConfiguration(own));
  client.publish(`${TO_THIS}.delete`, encodeServiceConfiguration({ ...own, appVerName: null }));
  const event = { correlationId: 'e', timestamp: 1, timeout: 0, tenantId: 'acme', originatorReplicaId: 'm' };
  client.publish(`${TENANTS}.updated`, encodeTenantEvent(event));
  client.publish(`${TENANTS}.unregistered`, encodeTenantEvent(event));
  // other instances' and those that expired
  client.publish('kaa.v1.service.other.scmp.configuration.upsert', encodeServiceConfiguration(own));
  client.publish('kaa.v1.events.other.service.configuration.upsert', encodeBroadcastConfiguration(update));
  client.publish(`${TENANTS}.updated`, encodeTenantEvent({ ...event, timeout: 1 }));
  for (const { configuration, tenants, count, messaging } of replicas) {
    await until(async () => (await count('epr_broadcasts_total')) === 7);
    t.same(configuration.changes, [
      { correlationId: 'c' },
      { correlationId: 'c', tenant: 'kaa', application: 'app' },
      { correlationId: 'd', tenant: 'kaa', application: 'app', version: 'app-v1' },
      { correlationId: 'd', tenant: 'kaa', application: 'app' },
    ]);
    t.same(tenants.changes, [
      { correlationId: 'e', kind: 'updated', tenantId: 'acme' },
      { correlationId: 'e', kind: 'unregistered', tenantId: 'acme' },
    ]);
    t.equal(await count('epr_broadcasts_total', { protocol: 'scmp', result: 'taken' }), 4);
    t.equal(await count('epr_broadcasts_total', { protocol: 'tle', result: 'taken' }), 2);
    t.equal(await count('epr_broadcasts_total', { protocol: 'tle', result: 'expired' }), 1);
    t.equal(messaging.status().details.announcements, 'heard');
  }
});

void t.test('what does not decode is counted, and the next is heard', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const { configuration, count } = await startReplica(t, nats.url);
  const client = await connectTo(t, nats.url);
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from([200]),
    Buffer.concat([encodeBroadcastConfiguration(update), Buffer.from('x')]),
  ])
    client.publish(`${TO_ALL}.upsert`, bytes);
  client.publish(`${TENANTS}.updated`, Buffer.from('?'));
  client.publish(`${TO_ALL}.upsert`, encodeBroadcastConfiguration(update));
  await until(() => configuration.changes.length === 1);
  t.equal(await count('epr_broadcasts_total', { protocol: 'scmp', result: 'undecodable' }), 3);
  t.equal(await count('epr_broadcasts_total', { protocol: 'tle', result: 'undecodable' }), 1);
});

void t.test('a broker that was away: what came meanwhile counts as missed', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const { configuration, tenants, messaging } = await startReplica(t, nats.url);
  await nats.kill();
  await until(() => messaging.status().details.announcements === 'not connected');
  await nats.restart();
  await until(() => configuration.state.missed === 2 && tenants.state.missed === 2);
  const client = await connectTo(t, nats.url);
  client.publish(`${TO_ALL}.upsert`, encodeBroadcastConfiguration(update));
  await until(() => configuration.changes.length === 1);
  await client.flush();
  t.equal(configuration.changes.length, 1, 'heard once');
});

void t.test('a user who may not subscribe: said, with the remedy in the log', async (t) => {
  const config = `authorization { users: [{ user: u, password: p, permissions: { subscribe: { deny: ["${TO_ALL}.>"] } } }] }`;
  const nats = await startNats(t, { config });
  if (nats === undefined || !nats.managed) return;
  const { messaging, tenants } = await startReplica(t, nats.url, { username: 'u', password: 'p' });
  await until(() => (messaging.status().details.announcements ?? '').includes(TO_ALL));
  const client = await connectTo(t, nats.url, { user: 'u', pass: 'p' });
  const event = { correlationId: 'e', timestamp: 1, timeout: 0, tenantId: 'acme', originatorReplicaId: 'm' };
  client.publish(`${TENANTS}.updated`, encodeTenantEvent(event));
  await until(() => tenants.changes.length === 1);
  t.pass('the others are heard');
});

void t.test('nobody to be heard', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const { messaging, metrics } = await startMessaging(t, nats.url, createMemoryOutbox());
  t.equal(messaging.status().details.announcements, undefined);
  t.equal(metrics.getSingleMetric('epr_broadcasts_total'), undefined);
});
