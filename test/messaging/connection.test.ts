import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from 'nats';
import t from 'tap';
import { startNats } from '../servers/index.js';
import { createMemoryOutbox, startMessaging, until } from './support.js';

void t.test('credentials: user and password, token, nkey', async (t) => {
  const pair = (nkeys as { createUser(): { getSeed(): Uint8Array; getPublicKey(): string } }).createUser();
  const folder = await mkdtemp(join(tmpdir(), 'epr-nkey-'));
  const nkeySeedFile = join(folder, 'seed');
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(nkeySeedFile, `${new TextDecoder().decode(pair.getSeed())}\n`);
  const rows = [
    {
      config: 'authorization { user: u, password: p }',
      good: { username: 'u', password: 'p' },
      bad: { username: 'u', password: 'q' },
    },
    { config: 'authorization { token: s3cret }', good: { token: 's3cret' }, bad: { token: 'other' } },
    {
      config: `authorization { users: [{ nkey: ${pair.getPublicKey()} }] }`,
      good: { nkeySeedFile },
      bad: { nkeySeedFile: join(folder, 'none') },
    },
  ];
  for (const { config, good, bad } of rows) {
    const nats = await startNats(t, { config });
    if (nats === undefined || !nats.managed) return;
    const refused = await startMessaging(t, nats.url, createMemoryOutbox(), bad);
    await until(() => refused.messaging.status().details.error !== undefined);
    t.equal(refused.messaging.status().details.connected, false);
    await refused.messaging.stop();
    const { messaging } = await startMessaging(t, nats.url, createMemoryOutbox(), good);
    await until(() => messaging.status().details.connected);
    t.equal(JSON.stringify(messaging.status()).includes('s3cret'), false);
    t.equal(messaging.status().details.server, `127.0.0.1:${nats.port}`);
  }
});

void t.test('a subject that we may not publish to: counted and kept, the rest goes on', async (t) => {
  const denied = 'publish: { deny: ["kaa.v1.events.epr.endpoint.>"] }';
  const config = `authorization { users: [{ user: u, password: p, permissions: { ${denied} } }] }`;
  const nats = await startNats(t, { jetstream: true, config });
  if (nats === undefined || !nats.managed) return;
  const outbox = createMemoryOutbox();
  const { messaging, count } = await startMessaging(t, nats.url, outbox, {
    username: 'u',
    password: 'p',
    relay: { stopMs: 10 },
  });
  messaging.sink.committed([outbox.commit('ep-1'), outbox.commit('f1', ['filter-pending'])]);
  await until(async () => (await count('epr_event_publish_failures_total', { reason: 'denied' })) > 1);
  await until(() => outbox.size() === 1);
  t.equal(await count('epr_events_published_total'), 1, 'only that of the filter');
  t.equal(messaging.status().details.backlog, 1);
  t.match(await messaging.stop().then(() => outbox.size()), 1, 'kept for the next start');
});
