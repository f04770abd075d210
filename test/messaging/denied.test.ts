import t from 'tap';
import { startNats } from '../servers/index.js';
import { createMemoryOutbox, startMessaging, until } from './support.js';

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
