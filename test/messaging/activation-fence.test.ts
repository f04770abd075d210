import t from 'tap';
import { startNats } from '../servers/index.js';
import { connectTo, createMemoryOutbox, readStream, startMessaging, until } from './support.js';

const eventsStream = 'EVENTS';

void t.test('the activation of a changed query comes behind the matches of the former one', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  // more entries of filters than memory takes, and endpoints in the store only, behind them
  const relay = { maxEntries: 10, sweepMs: 50 };
  const options = { eventsStream, relay };
  outbox.commit('f1', ['filter-pending']);
  outbox.commit('f1', ['filter-activated']);
  for (let i = 0; i < 40; i++) outbox.commit(`z${i}`, ['ep-matched']);
  outbox.commit('f1', ['filter-pending']);
  outbox.commit('f1', ['filter-activated']);
  for (let i = 0; i < 40; i++) {
    const other = `filter-${i}`;
    for (let n = 0; n < 2; n++) {
      outbox.commit(other, ['filter-pending']);
      outbox.commit(other, ['filter-activated']);
    }
  }
  const { messaging, count } = await startMessaging(t, nats.url, outbox, options);
  await until(() => outbox.size() === 0);
  t.equal(messaging.status().details.backlog, 0);
  t.equal(await count('epr_events_published_total'), 4 + 40 + 160, 'nothing is left out');
  const ids = (await readStream(await connectTo(t, nats.url), eventsStream)).map(
    ({ messageId }) => messageId,
  );
  const activated = ids.indexOf('f1.4.filter-activated');
  const matches = ids.flatMap((id, i) => (id.endsWith('ep-matched.f1') ? [i] : []));
  t.equal(matches.length, 40);
  t.ok(Math.max(...matches) < activated);
  t.ok(ids.indexOf('f1.2.filter-activated') < Math.min(...matches), 'the first one waits for nobody');
});

void t.test('it waits until the store has forgotten them, whoever published them', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const connection = await connectTo(t, nats.url);
  const { messaging } = await startMessaging(t, nats.url, outbox, { eventsStream });
  messaging.sink.committed([outbox.commit('ep-1')]);
  await until(() => outbox.size() === 0);
  const theirs = outbox.commit('ep-of-another', ['ep-matched']);
  messaging.sink.committed(
    [1, 2, 3].map((n) => outbox.commit('f1', [n === 2 ? 'filter-activated' : 'filter-pending'])),
  );
  messaging.sink.committed([outbox.commit('f1', ['filter-activated'])]);
  // one that is written on and on is not waited for on and on
  let writing = true;
  const written = (async () => {
    while (writing) {
      messaging.sink.committed([outbox.commit('ep-busy', ['ep-matched'])]);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const found = async () =>
    (await readStream(connection, eventsStream)).some(
      ({ messageId }) => messageId === 'f1.4.filter-activated',
    );
  await until(async () => (await readStream(connection, eventsStream)).length > 20);
  t.notOk(await found());
  await outbox.clearOutbox([theirs.position]);
  await until(found);
  writing = false;
  await written;
});

void t.test('an end does not wait for it; the next start publishes it', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const outbox = createMemoryOutbox();
  const former = await startMessaging(t, nats.url, outbox, { eventsStream, relay: { stopMs: 1e8 } });
  former.messaging.sink.committed([outbox.commit('ep-1')]);
  await until(() => outbox.size() === 0);
  const theirs = outbox.commit('ep-of-another', ['ep-matched']);
  former.messaging.sink.committed(
    [1, 2, 3, 4].map((n) => outbox.commit('f1', [n % 2 === 0 ? 'filter-activated' : 'filter-pending'])),
  );
  await until(() => outbox.size() === 2);
  await former.messaging.stop();
  t.equal(outbox.size(), 2);
  await startMessaging(t, nats.url, outbox, { eventsStream });
  await until(() => outbox.size() === 0);
  const found = await readStream(await connectTo(t, nats.url), eventsStream);
  t.same(found.map(({ messageId }) => messageId).slice(-2), [
    `${theirs.position.source}.1.ep-matched.f1`,
    'f1.4.filter-activated',
  ]);
});
