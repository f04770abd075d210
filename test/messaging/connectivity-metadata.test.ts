import { AckPolicy } from 'nats';
import t, { type Test } from 'tap';
import { metadataOf } from '../../src/model/record.js';
import { type Running } from '../register/support.js';
import { startNats } from '../servers/index.js';
import {
  communicationService,
  connected,
  connectedSubject,
  disconnectedSubject,
  makeStream,
  startRegister,
  submitTo,
  versionOf,
} from './connectivity-support.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

const OFF = { communicationService };
const ON = { communicationService, connectivityMetadata: true };
const startedMs = Date.now() - 600_000;

async function metadata({ register }: Running, endpointId: string) {
  const answer = await register.endpoints.get({ correlationId: 'c' }, endpointId);
  return answer.kind === 'ok' ? metadataOf(answer.value) : answer.code;
}

async function begin(t: Test, { jetstream = true } = {}) {
  const nats = await startNats(t, { jetstream });
  if (nats === undefined) return undefined;
  const connection = await connectTo(t, nats.url);
  const say = (subject: string, endpoints: Record<string, string>, seconds: number) =>
    connection.publish(subject, connected(endpoints, { timestamp: startedMs + seconds * 1000 }));
  return {
    nats,
    connection,
    connects: (endpoints: Record<string, string>, seconds: number) =>
      say(connectedSubject, endpoints, seconds),
    disconnects: (endpoints: Record<string, string>, seconds: number) =>
      say(disconnectedSubject, endpoints, seconds),
  };
}

function after(connected: boolean, seconds: number) {
  return { connected, connectivity_ts: startedMs + seconds * 1000 };
}

void t.test('connected, disconnected, older and foreign ones', async (t) => {
  const world = await begin(t);
  if (world === undefined) return;
  const { nats, connection, connects, disconnects } = world;
  const { settled } = await makeStream(connection);
  const running = await startRegister(t, ['a', 'b', 'c'], startedMs);
  const messaging = await startMessaging(t, nats.url, createMemoryOutbox(), ON, submitTo(running));
  connects({ a: 'app-v2', b: 'app-v1', unknown: 'app-v1' }, 1);
  disconnects({ a: 'app-v1' }, 2);
  // none of the catalogue: no more than that it is none
  disconnects({ b: 'app-v9' }, 3);
  connects({ c: 'app-v1' }, 10);
  disconnects({ c: 'app-v1' }, 9);
  connects({ c: 'app-v2' }, 8);
  await connection.flush();
  await until(async () => (await messaging.count('epr_connectivity_messages_total')) === 6);
  await until(settled);
  t.same(await metadata(running, 'a'), after(false, 2));
  t.equal(await versionOf(running, 'a'), 'app-v2', 'what it was when it was there last');
  t.same(await metadata(running, 'b'), after(true, 1));
  t.same(await metadata(running, 'c'), after(true, 10));
  t.equal(await versionOf(running, 'c'), 'app-v1', 'an older event does not change the version either');
  t.equal(await messaging.count('epr_connectivity_endpoints_total', { outcome: 'applied' }), 4);
  t.equal(await messaging.count('epr_connectivity_endpoints_total', { outcome: 'unchanged' }), 2);
  t.equal(await messaging.count('epr_connectivity_endpoints_total', { outcome: 'endpoint-not-found' }), 1);
  t.equal(
    await messaging.count('epr_connectivity_endpoints_total', { outcome: 'application-version-not-found' }),
    1,
  );
  const kinds = running.events
    .filter(({ source }) => source === 'a')
    .flatMap(({ events }) => events.map(({ kind }) => kind));
  t.same(
    kinds,
    ['registered', 'appversion-updated', 'metadata-updated', 'metadata-updated'],
    'events as of any change',
  );
});

for (const jetstream of [true, false])
  void t.test(`from the future, JetStream ${jetstream ? 'on' : 'off'}: as late as it came`, async (t) => {
    const world = await begin(t, { jetstream });
    if (world === undefined) return;
    const { nats, connection } = world;
    if (jetstream) await makeStream(connection);
    const running = await startRegister(t, ['a', 'b'], startedMs);
    const { messaging, count } = await startMessaging(
      t,
      nats.url,
      createMemoryOutbox(),
      ON,
      submitTo(running),
    );
    await until(() => /queue|consumer/.test(messaging.status().details.connectivity!));
    const beganMs = Date.now();
    const correlationId = 'x'.repeat(100_000);
    const late = { a: Number.MAX_SAFE_INTEGER, b: -9e15 };
    for (const [id, timestamp] of Object.entries(late))
      connection.publish(connectedSubject, connected({ [id]: 'app-v2' }, { timestamp, correlationId }));
    const applied = () => count('epr_connectivity_endpoints_total', { outcome: 'applied' });
    await until(async () => (await applied()) === 2);
    const { connectivity_ts: ofA } = (await metadata(running, 'a')) as { connectivity_ts: number };
    t.ok(ofA >= beganMs && ofA <= Date.now(), 'not in the future');
    t.match(await metadata(running, 'b'), { connected: true, connectivity_ts: 0 }, 'nor before all time');
    // one at the same millisecond would be as good
    await until(() => Date.now() > ofA + 1);
    connection.publish(disconnectedSubject, connected({ a: 'app-v2' }));
    await until(async () => (await applied()) === 3);
    t.match(await metadata(running, 'a'), { connected: false }, 'the next one counts');
    const sizes = running.events.flatMap(({ events }) => events.map(({ payload }) => payload.length));
    t.ok(Math.max(...sizes) < 1000, 'events do not carry all of a long correlation id');
  });

void t.test('all given again, as for the first time: nothing changes', async (t) => {
  const world = await begin(t);
  if (world === undefined) return;
  const { nats, connection, connects, disconnects } = world;
  const { manager, settled } = await makeStream(connection);
  const before = await startRegister(t, ['a', 'b'], startedMs);
  const first = await startMessaging(t, nats.url, createMemoryOutbox(), ON, submitTo(before));
  connects({ a: 'app-v2', b: 'app-v1' }, 1);
  disconnects({ a: 'app-v2', b: 'app-v1' }, 2);
  connects({ b: 'app-v2' }, 3);
  await connection.flush();
  await until(async () => (await first.count('epr_connectivity_messages_total', { result: 'done' })) === 3);
  await until(settled);
  await first.messaging.stop();
  await manager.consumers.delete('KPC', 'epr-connectivity');

  const running = await before.restart();
  const second = await startMessaging(t, nats.url, createMemoryOutbox(), ON, submitTo(running));
  await until(async () => (await second.count('epr_connectivity_messages_total', { result: 'done' })) === 3);
  t.equal(await second.count('epr_connectivity_endpoints_total', { outcome: 'applied' }), 0);
  t.same(running.events, [], 'nor are there events');
  t.same(await metadata(running, 'a'), after(false, 2));
  t.same(await metadata(running, 'b'), after(true, 3));
  t.equal(await versionOf(running, 'b'), 'app-v2');
});

void t.test('one that another replica was given, and died with: times decide, not the stream', async (t) => {
  const world = await begin(t);
  if (world === undefined) return;
  const { nats, connection, connects, disconnects } = world;
  const { manager, settled } = await makeStream(connection);
  await manager.consumers.add('KPC', {
    durable_name: 'epr-connectivity',
    filter_subject: 'kaa.v1.events.kpc.endpoint.connectivity.*',
    ack_policy: AckPolicy.Explicit,
  });
  connects({ a: 'app-v2', b: 'app-v2' }, 5);
  const other = await connection.jetstream().consumers.get('KPC', 'epr-connectivity');
  const held = (await other.next())!;

  const running = await startRegister(t, ['a', 'b'], startedMs);
  const messaging = await startMessaging(t, nats.url, createMemoryOutbox(), ON, submitTo(running));
  disconnects({ a: 'app-v1' }, 4);
  disconnects({ b: 'app-v1' }, 5);
  await connection.flush();
  await until(
    async () => (await messaging.count('epr_connectivity_messages_total', { result: 'done' })) === 2,
  );
  t.same(await metadata(running, 'a'), after(false, 4));
  held.nak();
  await until(
    async () => (await messaging.count('epr_connectivity_messages_total', { result: 'done' })) === 3,
  );
  await until(settled);
  t.same(await metadata(running, 'a'), after(true, 5), 'what came later in the stream is older');
  t.equal(await versionOf(running, 'a'), 'app-v2');
  t.same(await metadata(running, 'b'), after(false, 5), 'of one time the later in the stream counts');
});

void t.test('turned on and off over restarts: the consumer stays, and asks for what is wanted', async (t) => {
  const world = await begin(t);
  if (world === undefined) return;
  const { nats, connection, connects, disconnects } = world;
  const { state, settled } = await makeStream(connection);
  const running = await startRegister(t, ['a'], startedMs);
  const phase = async (options: typeof ON | typeof OFF, seconds: number) => {
    const { messaging, count } = await startMessaging(
      t,
      nats.url,
      createMemoryOutbox(),
      options,
      submitTo(running),
    );
    await until(() => /from stream KPC/.test(messaging.status().details.connectivity!));
    disconnects({ a: 'app-v1' }, seconds);
    const version = (await versionOf(running, 'a')) === 'app-v1' ? 'app-v2' : 'app-v1';
    connects({ a: version }, seconds + 1);
    await until(async () => (await versionOf(running, 'a')) === version);
    await until(settled);
    await messaging.stop();
    return count('epr_connectivity_messages_total', { result: 'done' });
  };
  t.equal(await phase(OFF, 1), 1, 'off: connected events only');
  t.same(await metadata(running, 'a'), {});
  const { created } = await state();
  t.equal(await phase(ON, 3), 2, 'on: both, and none from before');
  t.same(await metadata(running, 'a'), after(true, 4));
  t.equal(await phase(OFF, 5), 1, 'off again');
  t.same(await metadata(running, 'a'), after(true, 4), 'what was kept stays');
  t.equal((await state()).created, created, 'one consumer all the time');
});

void t.test('without JetStream', async (t) => {
  const world = await begin(t, { jetstream: false });
  if (world === undefined) return;
  const { nats, connects, disconnects } = world;
  const running = await startRegister(t, ['a', 'b'], startedMs);
  const { messaging, count } = await startMessaging(t, nats.url, createMemoryOutbox(), ON, submitTo(running));
  await until(() => /queue/.test(messaging.status().details.connectivity!));
  for (let i = 1; i <= 50; i++) {
    connects({ a: 'app-v1', b: 'app-v2' }, 2 * i - 1);
    disconnects({ a: 'app-v1' }, 2 * i);
  }
  connects({ b: 'app-v2' }, 200);
  // each of them, as they are given in their order
  await until(async () => (await count('epr_connectivity_endpoints_total', { outcome: 'applied' })) === 151);
  t.same(await metadata(running, 'a'), after(false, 100));
  t.same(await metadata(running, 'b'), after(true, 200));
});
