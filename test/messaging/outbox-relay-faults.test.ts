import t from 'tap';
import { startNats } from '../servers/index.js';
import { checkOrder, connectTo, createMemoryOutbox, readStream, startMessaging, until } from './support.js';

const eventsStream = 'EVENTS';
const relay = { ackTimeoutMs: 300 };

void t.test(
  'a broker that is killed in the middle, again and again, loses nothing and mixes nothing up',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined || !nats.managed) return;
    const outbox = createMemoryOutbox();
    const { messaging, count } = await startMessaging(t, nats.url, outbox, { eventsStream, relay });
    const sources = 200;
    let last = 0;
    const commitAll = () => {
      last++;
      for (let i = 0; i < sources; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    };
    let isOver = false;
    const commits = (async () => {
      while (!isOver) {
        if (outbox.size() < 10_000) commitAll();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    for (let kill = 1; kill <= 3; kill++) {
      const before = await count('epr_events_published_total');
      await until(async () => (await count('epr_events_published_total')) > before + 500);
      commitAll(); // so that something is on its way
      await new Promise(setImmediate);
      await nats.kill();
      await nats.restart();
    }
    isOver = true;
    await commits;
    await until(() => outbox.size() === 0);
    const found = await readStream(await connectTo(t, nats.url), eventsStream);
    checkOrder(
      t,
      found.map((message) => message.messageId),
      sources,
      last,
    );
    t.ok((await count('epr_event_publish_failures_total')) > 0, 'something had failed');
  },
);

void t.test(
  'a broker that is away from the start: commits go on, all is published when it comes',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined || !nats.managed) return;
    await nats.stop();
    const outbox = createMemoryOutbox();
    const limits = { ...relay, maxEntries: 50 };
    const { messaging } = await startMessaging(t, nats.url, outbox, { eventsStream, relay: limits });
    for (let revision = 0; revision < 30; revision++) {
      for (let i = 0; i < 100; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    }
    t.match(messaging.status(), { status: 'UP', details: { connected: false } });
    await nats.restart();
    await until(() => messaging.status().details.connected);
    for (let revision = 30; revision < 60; revision++) {
      for (let i = 0; i < 100; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
      await new Promise(setImmediate);
    }
    await until(() => outbox.size() === 0);
    const found = await readStream(await connectTo(t, nats.url), eventsStream);
    checkOrder(
      t,
      found.map((message) => message.messageId),
      100,
      60,
    );
    t.equal(found.length, 6000);
  },
);

void t.test('more than memory takes: read from the store, in order, while commits go on', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const limits = { ...relay, maxEntries: 64, maxInFlight: 16 };
  const { messaging } = await startMessaging(t, nats.url, outbox, { eventsStream, relay: limits });
  let most = 0;
  const [sources, last] = [150, 40];
  for (let revision = 0; revision < last; revision++) {
    // in runs of different length, with pauses, so that memory fills and drains at ever new places
    for (let i = 0; i < sources; i++) {
      messaging.sink.committed([outbox.commit(`ep-${i}`)]);
      if ((i * 7 + revision) % 11 === 0) await new Promise(setImmediate);
    }
    if (revision % 5 === 0) await until(() => outbox.size() === 0);
    most = Math.max(most, outbox.size());
  }
  await until(() => outbox.size() === 0);
  t.ok(most > 64, `up to ${most} entries were waiting`);
  t.ok(outbox.faults.reads > 5, 'the store was read');
  const found = await readStream(await connectTo(t, nats.url), eventsStream);
  checkOrder(
    t,
    found.map((message) => message.messageId),
    sources,
    last,
  );
  await until(() => messaging.status().details.backlog === 0);
});

void t.test('a full stream: events wait for room', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const manager = await connection.jetstreamManager();
  const config = { name: 'SMALL', subjects: ['kaa.v1.events.epr.>'], max_msgs: 10 };
  await manager.streams.add({ ...config, discard: 'new' as never });
  const outbox = createMemoryOutbox();
  const { messaging, count } = await startMessaging(t, nats.url, outbox, { relay });
  for (let revision = 0; revision < 3; revision++) {
    for (let i = 0; i < 10; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
  }
  await until(
    async () => (await count('epr_event_publish_failures_total', { reason: 'stream-refused' })) > 10,
  );
  t.equal(await count('epr_events_published_total'), 10);
  t.equal(messaging.status().details.backlog, 20);
  await manager.streams.update('SMALL', { ...config, max_msgs: 1000 });
  await until(() => outbox.size() === 0);
  checkOrder(
    t,
    (await readStream(connection, 'SMALL')).map((message) => message.messageId),
    10,
    3,
  );
});

void t.test('a stream that comes and goes', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const connection = await connectTo(t, nats.url);
  const { messaging, count } = await startMessaging(t, nats.url, outbox, { relay });
  const publishAll = async () => {
    for (let i = 0; i < 10; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    await until(() => outbox.size() === 0);
  };
  const ids: string[] = [];
  connection.subscribe('kaa.v1.events.epr.>', {
    callback: (_error, message) => void ids.push(message.headers!.get('Nats-Msg-Id')),
  });
  await connection.flush();
  await publishAll();
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'LATE', subjects: ['kaa.v1.events.epr.endpoint.>'] });
  // the advisory is on its way: from some entry on, the stream acknowledges
  await until(async () => {
    await publishAll();
    return (await readStream(connection, 'LATE')).length >= 20;
  });
  await manager.streams.delete('LATE');
  await publishAll();
  const last = outbox.commit('ep-0').position.order;
  for (let i = 1; i < 10; i++) outbox.commit(`ep-${i}`);
  messaging.sink.doubt();
  await until(() => outbox.size() === 0);
  await until(() => new Set(ids).size >= last * 10);
  checkOrder(t, ids, 10, last);
  t.equal(await count('epr_events_dead_letter_total'), 0);
});

void t.test('from a server with JetStream to one without, and back', async (t) => {
  const withStream = await startNats(t, { jetstream: true });
  const plain = await startNats(t);
  if (withStream === undefined || plain === undefined || !plain.managed) return;
  await plain.stop();
  const outbox = createMemoryOutbox();
  const connection = await connectTo(t, withStream.url);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: eventsStream, subjects: ['kaa.v1.events.epr.>'] });
  const options = { relay, urls: [withStream.url, plain.url] };
  const { messaging } = await startMessaging(t, withStream.url, outbox, options);
  const publishAll = async () => {
    for (let i = 0; i < 10; i++) messaging.sink.committed([outbox.commit(`ep-${i}`)]);
    await until(() => outbox.size() === 0);
  };
  await publishAll();
  await withStream.kill();
  await plain.restart();
  await publishAll();
  await withStream.restart();
  await plain.stop();
  await publishAll();
  const found = await readStream(connection, eventsStream);
  const revisions = found.map((message) => message.messageId.split('.')[1]).sort();
  t.same(
    revisions,
    [...Array<string>(10).fill('1'), ...Array<string>(10).fill('3')],
    'what was published while there was a stream',
  );
});
