import { headers, nanos } from 'nats';
import t, { type Test } from 'tap';
import type { PastEvents } from '../../src/live/index.js';
import { startNats } from '../servers/index.js';
import { connectTo, createMemoryOutbox, readStream, startMessaging, until } from './support.js';

const eventsStream = 'EVENTS';
const config = { name: eventsStream, subjects: ['kaa.v1.events.epr.>'] };

/** A stream that knows ids of events, as of one that published them before. */
async function startStream(t: Test, url: string) {
  const connection = await connectTo(t, url);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ ...config, duplicate_window: nanos(600_000) });
  return {
    async put(messageId: string) {
      const own = headers();
      own.set('Nats-Msg-Id', messageId);
      await connection.jetstream().publish('kaa.v1.events.epr.former', '', { headers: own });
    },
    forgetSoon: () => manager.streams.update(eventsStream, { ...config, duplicate_window: nanos(100) }),
    ids: async () => (await readStream(connection, eventsStream)).map(({ messageId }) => messageId),
  };
}

void t.test(
  'a stream that took an older event again gets the newer behind it, though it knows it',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const stream = await startStream(t, nats.url);
    await stream.put('ep-0.2.metadata-updated');
    await stream.put('ep-1.1.metadata-updated');
    await stream.put('ep-1.2.metadata-updated');
    const outbox = createMemoryOutbox();
    const entries = ['ep-0', 'ep-1'].flatMap((source) => [outbox.commit(source), outbox.commit(source)]);
    const { messaging, count } = await startMessaging(t, nats.url, outbox, { eventsStream });
    messaging.sink.committed(entries);
    await until(async () => (await stream.ids()).includes('ep-0.1.metadata-updated'));
    await until(async () => (await count('epr_events_repeated_total')) === 2);
    messaging.sink.committed([outbox.commit('ep-0'), outbox.commit('ep-1')]);
    await until(() => outbox.size() === 2);
    t.match(messaging.status().details, { backlog: 2, waiting: /must come again behind older ones/ });
    await stream.forgetSoon();
    await until(() => outbox.size() === 0);
    t.same(
      (await stream.ids()).filter((id) => id.startsWith('ep-0')).map((id) => id.split('.')[1]),
      ['2', '1', '2', '3'],
    );
    t.same(
      (await stream.ids()).filter((id) => id.startsWith('ep-1')).map((id) => id.split('.')[1]),
      ['1', '2', '3'],
    );
  },
);

void t.test(
  'after events were sent again: an activation comes behind what the stream takes twice',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const stream = await startStream(t, nats.url);
    const outbox = createMemoryOutbox();
    let end = () => undefined as void;
    const past = () =>
      new Promise<PastEvents>((resolve) => {
        end = () => resolve({ total: 0, keptSinceMs: undefined, next: async () => [] });
      });
    const kept = { past, isShared: false };
    const { messaging } = await startMessaging(t, nats.url, outbox, { eventsStream }, undefined, undefined, {
      kept,
    });
    await messaging.republishing.begin(0);
    const kinds = ['filter-pending', 'filter-pending', 'filter-activated'] as const;
    // as one would leave it that sent them again, so long ago that the stream has forgotten the match
    for (const [i, kind] of kinds.entries()) await stream.put(`f1.${i + 1}.${kind}`);
    const match = outbox.commit('ep-0', ['ep-matched']);
    messaging.sink.committed([match, ...kinds.map((kind) => outbox.commit('f1', [kind]))]);
    end();
    await until(() => outbox.size() === 1);
    await stream.forgetSoon();
    await until(() => outbox.size() === 0);
    t.same((await stream.ids()).slice(3), ['ep-0.1.ep-matched.f1', 'f1.3.filter-activated']);
  },
);
