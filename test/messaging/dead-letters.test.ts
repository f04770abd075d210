import { nanos } from 'nats';
import t, { type Test } from 'tap';
import type { MessagingOptions } from '../../src/messaging/index.js';
import { type NatsServer, startNats } from '../servers/index.js';
import { communicationService, connected, connectedSubject, makeStream } from './connectivity-support.js';
import { hearLog } from './heard-log.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

const DEAD = 'kaa.v1.dead-letter.epr.connectivity';
const as = (permissions: string) => `authorization { users: [
  { user: admin, password: p }, { user: u, password: p, permissions: { ${permissions} } }] }`;
const denied = as(`publish: { deny: ["kaa.v1.dead-letter.>"] }`);
const admin = { user: 'admin', pass: 'p' };

async function consume(t: Test, nats: NatsServer, options: Partial<MessagingOptions> = {}) {
  const heard = hearLog();
  const versions = new Set<string>();
  const started = await startMessaging(
    t,
    nats.url,
    createMemoryOutbox(),
    { communicationService, link: { retryFirstMs: 20, retryMostMs: 100 }, ...options },
    async (commands) =>
      commands.map(({ endpointId }) => {
        versions.add(endpointId);
        return { kind: 'applied', revision: 1, metadataRevision: 1, createdMs: 0, versionSinceMs: 0 };
      }),
    heard.log,
  );
  const status = () => started.messaging.status().details.connectivity!;
  return { ...started, ...heard, versions, status };
}

void t.test('a dead letter that the broker denies keeps its message, until it is permitted', async (t) => {
  const nats = await startNats(t, { jetstream: true, config: denied });
  if (nats === undefined || !nats.managed) return;
  const connection = await connectTo(t, nats.url, admin);
  const { manager, state, settled } = await makeStream(connection);
  // a stream that forgets what is acknowledged: the bytes are nowhere else
  await manager.streams.delete('KPC');
  await manager.streams.add({
    name: 'KPC',
    subjects: ['kaa.v1.events.kpc.>'],
    retention: 'workqueue' as never,
  });
  await manager.streams.add({ name: 'DEAD', subjects: ['kaa.v1.dead-letter.>'] });
  const dead: string[] = [];
  connection.subscribe(DEAD, {
    callback: (_error, { data }) => void dead.push(Buffer.from(data).toString()),
  });
  const { count, status, said, versions } = await consume(t, nats, { username: 'u', password: 'p' });
  for (let i = 0; i < 20; i++) connection.publish(connectedSubject, `no Avro ${i}`);
  for (let i = 0; i < 500; i++) connection.publish(connectedSubject, connected({ [`e${i}`]: 'app-v1' }));
  await until(() => versions.size === 500);
  await until(async () => (await count('epr_connectivity_dead_letters_held')) === 20);
  t.match(status(), /20 dead letters wait: .*publish to kaa.v1.dead-letter.epr.connectivity. Permit it/);
  t.equal(await count('epr_connectivity_messages_total', { result: 'undecodable' }), 0);
  // the others are acknowledged, and these are not
  await until(async () => (await state()).num_ack_pending === 20);
  await until(async () => (await manager.streams.info('KPC')).state.messages === 20);
  t.equal(said(/can not be written, so its message is not acknowledged.* Permit it/).length, 1);

  await nats.configure(as(''));
  process.kill(nats.pid, 'SIGHUP');
  await until(async () => (await count('epr_connectivity_messages_total', { result: 'undecodable' })) === 20);
  await until(settled);
  t.same(new Set(dead), new Set(Array.from({ length: 20 }, (_, i) => `no Avro ${i}`)));
  t.equal((await manager.streams.info('DEAD')).state.messages, 20, 'each once');
  t.notMatch(status(), /dead letters/);
  t.equal(await count('epr_connectivity_messages_total', { result: 'lost' }), 0);
  t.equal(said(/Dead letters that waited are written now/).length, 1);
});

void t.test(
  'so many that are held do not stop the rest: beyond a bound they are given up, visibly',
  async (t) => {
    const nats = await startNats(t, { jetstream: true, config: denied });
    if (nats === undefined || !nats.managed) return;
    const connection = await connectTo(t, nats.url, admin);
    const { manager, state } = await makeStream(connection);
    const { count, said, versions, lines } = await consume(t, nats, {
      username: 'u',
      password: 'p',
      connectivity: { maxMessages: 40 },
    });
    for (let i = 0; i < 200; i++) connection.publish(connectedSubject, 'no Avro');
    for (let i = 0; i < 200; i++) connection.publish(connectedSubject, connected({ [`e${i}`]: 'app-v1' }));
    await until(() => versions.size === 200);
    await until(async () => (await state()).num_pending === 0 && (await state()).num_ack_pending === 20);
    t.equal(await count('epr_connectivity_messages_total', { result: 'lost' }), 180);
    t.equal(await count('epr_connectivity_dead_letters_held'), 20);
    const [line] = said(/as many wait as may wait: its message is given up/);
    t.match(line, { level: 50, msg: /Permit it/ });
    t.ok(lines.length < 20, 'a few lines');
    t.equal((await manager.streams.info('KPC')).state.messages, 400, 'this stream keeps their bytes');
  },
);

void t.test('a stream that captures dead letters has them, or they wait', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { manager, settled } = await makeStream(connection);
  await manager.streams.add({
    name: 'DEAD',
    subjects: ['kaa.v1.dead-letter.>'],
    max_msgs: 1,
    max_msg_size: 1000,
    discard: 'new' as never,
    duplicate_window: nanos(60_000),
  });
  const { count, status } = await consume(t, nats);
  connection.publish(connectedSubject, 'x'.repeat(2000));
  await until(async () => (await count('epr_connectivity_messages_total', { result: 'undecodable' })) === 1);
  const message = await manager.streams.getMessage('DEAD', { seq: 1 });
  t.equal(message.data.length, 0, 'larger than the stream takes: without its bytes');
  t.match(message.header.get('Error'), /its 2000 bytes do not fit/);
  t.equal(message.header.get('Original-Subject'), connectedSubject);
  connection.publish(connectedSubject, 'second');
  await until(() =>
    /1 dead letters wait: The stream refuses it: maximum messages.*discard old/.test(status()),
  );
  await manager.streams.purge('DEAD');
  await until(settled);
  t.equal(Buffer.from((await manager.streams.getMessage('DEAD', { seq: 2 })).data).toString(), 'second');
});

void t.test('an events stream that can not be had is no reason not to write dead letters', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { manager, settled } = await makeStream(connection);
  await manager.streams.add({ name: 'OTHER', subjects: ['kaa.v1.events.epr.endpoint.>'] });
  const { count, messaging } = await consume(t, nats, { eventsStream: 'EVENTS' });
  connection.publish(connectedSubject, 'no Avro');
  await until(async () => (await count('epr_connectivity_messages_total', { result: 'undecodable' })) === 1);
  await until(settled);
  t.match(messaging.status().details.waiting, /EVENTS can not be created/);
});
