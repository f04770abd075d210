import t from 'tap';
import { startNats } from '../servers/index.js';
import { checkOrder, connectTo, createMemoryOutbox, readStream, startMessaging, until } from './support.js';

const eventsStream = 'EVENTS';

void t.test('events reach their stream in order, each under its id, and are cleared', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const { messaging, count } = await startMessaging(t, nats.url, outbox, { eventsStream });
  const connection = await connectTo(t, nats.url);
  const manager = await connection.jetstreamManager();
  await until(() =>
    manager.streams.info(eventsStream).then(
      () => true,
      () => false,
    ),
  );
  const all = [
    'registered',
    'metadata-updated',
    'appversion-updated',
    'relations-updated',
    'ep-unmatched',
    'ep-matched',
    'unregistered',
  ] as const;
  messaging.sink.committed([outbox.commit('ep-1', [...all])]);
  messaging.sink.committed([
    outbox.commit('f1', ['filter-pending']),
    outbox.commit('f1', ['filter-activated']),
    outbox.commit('f1', ['filter-deleted']),
  ]);
  await until(() => outbox.size() === 0);
  const found = await readStream(connection, eventsStream);
  t.same(
    found
      .filter(({ messageId }) => messageId.startsWith('ep-1.'))
      .map(({ subject, messageId }) => [subject, messageId]),
    [
      ['kaa.v1.events.epr.endpoint.lifecycle.registered', 'ep-1.1.registered'],
      ['kaa.v1.events.epr.endpoint.metadata.updated', 'ep-1.1.metadata-updated'],
      ['kaa.v1.events.epr.endpoint.lifecycle.appversion-updated', 'ep-1.1.appversion-updated'],
      ['kaa.v1.events.epr.endpoint.relations.updated', 'ep-1.1.relations-updated'],
      ['kaa.v1.events.epr.endpoint-filter.f1.ep-unmatched', 'ep-1.1.ep-unmatched.f1'],
      ['kaa.v1.events.epr.endpoint-filter.f1.ep-matched', 'ep-1.1.ep-matched.f1'],
      ['kaa.v1.events.epr.endpoint.lifecycle.unregistered', 'ep-1.1.unregistered'],
    ],
  );
  t.same(
    found
      .filter(({ messageId }) => messageId.startsWith('f1.'))
      .map(({ subject, messageId }) => [subject, messageId]),
    [
      ['kaa.v1.events.epr.endpoint-filter.f1.pending', 'f1.1.filter-pending'],
      ['kaa.v1.events.epr.endpoint-filter.f1.activated', 'f1.2.filter-activated'],
      ['kaa.v1.events.epr.endpoint-filter.f1.deleted', 'f1.3.filter-deleted'],
    ],
  );
  t.equal(await count('epr_events_published_total'), 10);
  t.match(messaging.status(), { status: 'UP', details: { connected: true, backlog: 0 } });
  const config = (await manager.streams.info(eventsStream)).config;
  t.match(config, { storage: 'file', retention: 'limits', subjects: ['kaa.v1.events.epr.>'] });
});

void t.test('without JetStream, what the server has counts as published', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const connection = await connectTo(t, nats.url);
  const ids: string[] = [];
  connection.subscribe('kaa.v1.events.>', {
    callback: (_error, message) => void ids.push(message.headers!.get('Nats-Msg-Id')),
  });
  await connection.flush();
  const { messaging } = await startMessaging(t, nats.url, outbox);
  for (let revision = 0; revision < 20; revision++) {
    for (let i = 0; i < 50; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
  }
  await until(() => outbox.size() === 0);
  await until(() => ids.length === 1000);
  checkOrder(t, ids, 50, 20);
  t.equal(ids.length, 1000, 'each once');
});

void t.test(
  'what a former process left comes first; what it published and did not clear is dropped by the stream',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const outbox = createMemoryOutbox();
    outbox.faults.clear = true;
    const former = await startMessaging(t, nats.url, outbox, { eventsStream });
    for (let i = 0; i < 100; i++) former.messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    await until(async () => (await former.count('epr_events_published_total')) === 100);
    await former.messaging.stop();
    t.equal(outbox.size(), 100, 'nothing could be cleared');
    for (let i = 0; i < 100; i++) outbox.commit(`ep-${i}`); // committed, and then the process died

    outbox.faults.clear = false;
    const { messaging, count } = await startMessaging(t, nats.url, outbox, { eventsStream });
    for (let i = 0; i < 100; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    await until(() => outbox.size() === 0);
    t.equal(await count('epr_events_repeated_total'), 100);
    const found = await readStream(await connectTo(t, nats.url), eventsStream);
    t.equal(found.length, 300, 'each once in the stream');
    checkOrder(
      t,
      found.map((message) => message.messageId),
      100,
      3,
    );
  },
);

void t.test(
  'entries that nobody reports are found: on doubt, and by looking through the store now and then',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const outbox = createMemoryOutbox();
    const { messaging } = await startMessaging(t, nats.url, outbox, { relay: { sweepMs: 50 } });
    messaging.sink.committed([outbox.commit('ep-1')]);
    await until(() => outbox.size() === 0);
    outbox.commit('ep-1');
    messaging.sink.doubt();
    messaging.sink.committed([outbox.commit('ep-1')]);
    await until(() => outbox.size() === 0);
    outbox.commit('ep-2');
    await until(() => outbox.size() === 0);
    t.equal(messaging.status().details.backlog, 0);
  },
);

void t.test('an event that no server takes becomes a dead letter, and its source goes on', async (t) => {
  const nats = await startNats(t, { jetstream: true, config: 'max_payload: 4096' });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const connection = await connectTo(t, nats.url);
  const dead: Record<string, string[]>[] = [];
  connection.subscribe('kaa.v1.dead-letter.epr.events', {
    callback: (_error, { headers }) => void dead.push(Object.fromEntries([...headers!])),
  });
  await connection.flush();
  const { messaging, count } = await startMessaging(t, nats.url, outbox, { eventsStream });
  messaging.sink.committed([
    outbox.commit('ep-1'),
    outbox.commit('ep-1', ['metadata-updated'], 5000),
    outbox.commit('ep-1'),
  ]);
  await until(() => outbox.size() === 0);
  await until(() => dead.length === 1);
  t.match(dead[0], {
    'Nats-Msg-Id': ['ep-1.2.metadata-updated'],
    'Original-Subject': ['kaa.v1.events.epr.endpoint.metadata.updated'],
    Error: [/max_payload/],
  });
  t.equal(await count('epr_events_dead_letter_total', { reason: 'too-large' }), 1);
  const found = await readStream(connection, eventsStream);
  t.same(
    found.map((message) => message.messageId),
    ['ep-1.1.metadata-updated', 'ep-1.3.metadata-updated'],
  );
});

void t.test('damaged bytes in the outbox are given up, and hold nobody back', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const { messaging, count } = await startMessaging(t, nats.url, outbox);
  const damaged = outbox.commit('ep-1');
  damaged.events = damaged.events.subarray(0, 9);
  messaging.sink.committed([damaged, outbox.commit('ep-1')]);
  await until(() => outbox.size() === 0);
  t.equal(await count('epr_events_dead_letter_total', { reason: 'damaged' }), 1);
  t.equal(await count('epr_events_published_total'), 1);
});

void t.test('an event that its stream never takes becomes a dead letter, too', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'SMALL', subjects: ['kaa.v1.events.epr.>'], max_msg_size: 1000 });
  await manager.streams.add({ name: 'DEAD', subjects: ['kaa.v1.dead-letter.>'] });
  const outbox = createMemoryOutbox();
  const { messaging, count } = await startMessaging(t, nats.url, outbox);
  messaging.sink.committed([
    outbox.commit('ep-1', ['registered', 'metadata-updated'], 2000),
    outbox.commit('ep-1'),
  ]);
  await until(() => outbox.size() === 0);
  t.equal(await count('epr_events_dead_letter_total', { reason: 'too-large' }), 2);
  const dead = await readStream(connection, 'DEAD');
  t.same(
    dead.map((message) => message.messageId),
    ['ep-1.1.registered', 'ep-1.1.metadata-updated'],
  );
  t.equal((await readStream(connection, 'SMALL')).length, 1);
});
