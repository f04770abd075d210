import t, { type Test } from 'tap';
import { startNats } from '../servers/index.js';
import { startNatsProxy } from './nats-proxy.js';
import {
  checkOrder,
  connectTo,
  createMemoryOutbox,
  readStream,
  type MemoryOutbox,
  type Started,
  startMessaging,
  until,
} from './support.js';

const eventsStream = 'EVENTS';
const SUBJECTS = ['kaa.v1.events.epr.>'];
const relay = { ackTimeoutMs: 300 };
const link = { retryFirstMs: 20, retryMostMs: 100 };

/** One more change of each source. */
function commitAll({ messaging }: Started, outbox: MemoryOutbox, sources: number, bytes = 0): void {
  for (let i = 0; i < sources; i++)
    messaging.sink.committed([outbox.commit(`ep-${i}`, ['metadata-updated'], bytes)]);
}

async function idsIn(t: Test, url: string, stream = eventsStream): Promise<string[]> {
  return (await readStream(await connectTo(t, url), stream)).map(({ messageId }) => messageId);
}

void t.test('acknowledgements that are lost: each event is in the stream once, in order', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const proxy = await startNatsProxy(t, nats.port);
  const outbox = createMemoryOutbox();
  const started = await startMessaging(t, proxy.url, outbox, { eventsStream, relay, link });
  proxy.loseAllBut(2);
  const [sources, last] = [100, 10];
  for (let revision = 0; revision < last; revision++) {
    commitAll(started, outbox, sources);
    if (revision % 3 === 0) {
      await until(async () => (await started.count('epr_events_published_total')) > revision * 20);
      proxy.cut();
    }
  }
  await until(
    async () => (await started.count('epr_event_publish_failures_total', { reason: 'timeout' })) > 50,
  );
  proxy.loseAllBut(0);
  await until(() => outbox.size() === 0);
  t.ok(proxy.lost > 50, `${proxy.lost} acknowledgements were lost`);
  t.ok((await started.count('epr_events_repeated_total')) > 0, 'some were sent again, and dropped');
  const ids = await idsIn(t, nats.url);
  checkOrder(t, ids, sources, last);
  t.equal(ids.length, sources * last, 'each once');
});

void t.test('a broker that stands still: nothing is lost, and little is held in memory', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  const outbox = createMemoryOutbox();
  const limits = { ...relay, maxEntries: 200, maxInFlight: 100 };
  const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay: limits, link });
  commitAll(started, outbox, 100);
  await until(() => outbox.size() === 0);
  for (const rounds of [1, 20]) {
    process.kill(nats.pid, 'SIGSTOP');
    for (let i = 0; i < rounds; i++) {
      commitAll(started, outbox, 100);
      await new Promise(setImmediate);
    }
    const timeouts = () => started.count('epr_event_publish_failures_total', { reason: 'timeout' });
    const before = await timeouts();
    await until(async () => (await timeouts()) >= before + 100);
    t.equal(await started.count('epr_outbox_backlog'), 100 * rounds);
    t.ok((await started.count('epr_outbox_memory_entries')) <= 300);
    t.match(started.messaging.status(), {
      status: 'UP',
      details: { connected: true, backlog: 100 * rounds, waiting: /No stream acknowledged it within 300 ms/ },
    });
    process.kill(nats.pid, 'SIGCONT');
    await until(() => outbox.size() === 0);
    await until(() => started.messaging.status().details.waiting === undefined);
  }
  const ids = await idsIn(t, nats.url);
  checkOrder(t, ids, 100, 22);
  t.equal(ids.length, 2200, 'each once');
});

void t.test('a broker that stands still for so long that the connection is given up', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  const outbox = createMemoryOutbox();
  const impatient = { ...link, attemptMs: 100, pingMs: 100 };
  const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay, link: impatient });
  commitAll(started, outbox, 50);
  await until(() => outbox.size() === 0);
  process.kill(nats.pid, 'SIGSTOP');
  for (let i = 0; i < 5; i++) commitAll(started, outbox, 50, 10_000);
  await until(() => !started.messaging.status().details.connected);
  commitAll(started, outbox, 50);
  process.kill(nats.pid, 'SIGCONT');
  await until(() => outbox.size() === 0);
  checkOrder(t, await idsIn(t, nats.url), 50, 7);
});

void t.test('a stream that is full (max_bytes) makes events wait, and says so', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const manager = await (await connectTo(t, nats.url)).jetstreamManager();
  const config = { name: eventsStream, subjects: SUBJECTS, discard: 'new' as never };
  await manager.streams.add({ ...config, max_bytes: 50_000 });
  const outbox = createMemoryOutbox();
  const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay, link });
  for (let i = 0; i < 10; i++) commitAll(started, outbox, 10, 1000);
  await until(
    async () => (await started.count('epr_event_publish_failures_total', { reason: 'stream-refused' })) > 20,
  );
  const { details } = started.messaging.status();
  t.match(details.waiting, /maximum bytes exceeded/);
  t.ok(details.backlog > 40 && details.backlog < 100, `${details.backlog} wait`);
  t.equal(await started.count('epr_outbox_backlog'), details.backlog);
  await manager.streams.update(eventsStream, { ...config, max_bytes: 10_000_000 });
  await until(() => outbox.size() === 0);
  t.equal(started.messaging.status().details.waiting, undefined);
  checkOrder(t, await idsIn(t, nats.url), 10, 10);
});

void t.test(
  'the events stream is deleted while events are published: it comes again, and takes the rest',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const manager = await (await connectTo(t, nats.url)).jetstreamManager();
    const outbox = createMemoryOutbox();
    const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay, link });
    commitAll(started, outbox, 50);
    await until(() => outbox.size() === 0);
    for (let round = 0; round < 5; round++) {
      const before = await started.count('epr_events_published_total');
      for (let i = 0; i < 20; i++) commitAll(started, outbox, 50);
      await until(async () => (await started.count('epr_events_published_total')) > before + 100);
      await manager.streams.delete(eventsStream);
      await until(() => outbox.size() === 0);
    }
    commitAll(started, outbox, 50);
    await until(() => outbox.size() === 0);
    const ids = await idsIn(t, nats.url);
    t.same(
      new Set(ids.filter((id) => id.split('.')[1] === '102')).size,
      50,
      'what was published since is there, all of it',
    );
    const revisions = new Map<string, number>();
    for (const id of ids) {
      const [source, revision] = [id.split('.')[0]!, Number(id.split('.')[1])];
      const former = revisions.get(source);
      if (former !== undefined && revision !== former + 1) t.fail(`${id} comes after ${former}`);
      revisions.set(source, revision);
    }
    t.equal(await started.count('epr_events_published_total'), 50 * 102);
  },
);

void t.test('a backlog of any size is held on disk: memory has what its bounds allow', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  await nats.stop();
  const outbox = createMemoryOutbox();
  const limits = { ...relay, maxEntries: 500, maxBytes: 300_000 };
  const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay: limits, link });
  const largest = 10_000;
  let [entries, bytes] = [0, 0];
  const look = async () => {
    entries = Math.max(entries, await started.count('epr_outbox_memory_entries'));
    bytes = Math.max(bytes, await started.count('epr_outbox_memory_bytes'));
  };
  // small ones, so that the number is the bound; then large ones, so that the bytes are
  for (const size of [0, largest]) {
    for (let i = 0; i < 30; i++) {
      commitAll(started, outbox, 100, size);
      await new Promise(setImmediate);
      await look();
    }
  }
  t.equal(await started.count('epr_outbox_backlog'), 6000);
  await nats.restart();
  while (outbox.size() > 0) {
    await look();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.ok(entries > 400 && entries <= 500 * 1.5 + 2, `at most ${entries} entries in memory`);
  t.ok(bytes > 150_000 && bytes <= 300_000 * 1.5 + 2 * largest, `at most ${bytes} bytes in memory`);
  t.equal(await started.count('epr_outbox_memory_bytes'), 0);
  checkOrder(t, await idsIn(t, nats.url), 100, 60);
});

void t.test(
  'a store that can not forget what is published: that is not held in memory instead',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const outbox = createMemoryOutbox();
    const limits = { ...relay, maxEntries: 100, maxInFlight: 10 };
    const started = await startMessaging(t, nats.url, outbox, { eventsStream, relay: limits, link });
    outbox.faults.clear = true;
    for (let i = 0; i < 10; i++) commitAll(started, outbox, 100);
    await until(async () => (await started.count('epr_events_published_total')) >= 100);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.ok((await started.count('epr_events_published_total')) <= 110, 'publishing waits');
    outbox.faults.clear = false;
    await until(() => outbox.size() === 0);
    checkOrder(t, await idsIn(t, nats.url), 100, 10);
  },
);
