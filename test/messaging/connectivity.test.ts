import t, { type Test } from 'tap';
import type { Command } from '../../src/model/command.js';
import { refuse } from '../../src/model/errors.js';
import type { Outcome } from '../../src/model/outcome.js';
import { lookPauseMs } from '../../src/messaging/connectivity-consumer.js';
import { startNats } from '../servers/index.js';
import {
  communicationService,
  connected,
  connectedSubject as subject,
  makeStream,
  startRegister,
  submitTo,
  versionOf,
} from './connectivity-support.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

/** Long beside any pause of a busy machine: what is given again is only what was left. */
const ackWaitMs = 3000;

/** Messaging that takes connectivity events, and has no others to publish. */
const consume = (
  t: Test,
  url: string,
  submit: Parameters<typeof startMessaging>[4],
  more: Parameters<typeof startMessaging>[3] = {},
) => startMessaging(t, url, createMemoryOutbox(), { communicationService, ...more }, submit);

/** A register that only knows versions: what the outcomes of `set-version` are, and in which order they came. */
function createVersions(known: (endpointId: string) => boolean = () => true) {
  const versions = new Map<string, string>();
  const history: string[] = [];
  const faults = { retry: (_command: Command) => false, holdMs: 0 };
  return {
    versions,
    history,
    faults,
    submit: async (commands: Command[]): Promise<Outcome[]> => {
      const outcomes = commands.map((command): Outcome => {
        if (command.type !== 'set-version') throw new Error(command.type);
        const { endpointId, version } = command;
        if (!known(endpointId)) return refuse('endpoint-not-found');
        if (faults.retry(command)) return { kind: 'retry', code: 'overloaded', message: 'full' };
        const kind = versions.get(endpointId) === version.version ? 'unchanged' : 'applied';
        versions.set(endpointId, version.version);
        history.push(`${endpointId} ${version.version}`);
        return { kind, revision: 1, metadataRevision: 1, createdMs: 0, versionSinceMs: 0 };
      });
      await new Promise((resolve) => setTimeout(resolve, faults.holdMs));
      return outcomes;
    },
  };
}

void t.test('20,000 connected events: every version is set, every message acknowledged', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { settled } = await makeStream(connection);
  const register = createVersions((id) => !id.startsWith('unknown'));
  const { count } = await consume(t, nats.url, register.submit);
  for (let i = 0; i < 20_000; i++)
    connection.publish(subject, connected({ [`ep-${i % 10_000}`]: i < 10_000 ? 'app-v1' : 'app-v2' }));
  connection.publish(subject, connected({ 'unknown-1': 'app-v1', 'ep-1': 'app-v9', 'ep-2': 'app-v2' }));
  connection.publish(subject, connected({}));
  await connection.flush();
  await until(async () => (await count('epr_connectivity_messages_total')) >= 20_002);
  await until(settled);
  t.equal([...register.versions.values()].filter((version) => version === 'app-v2').length, 10_000);
  t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'applied' }), 20_000);
  t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'unchanged' }), 1);
  t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'endpoint-not-found' }), 1);
  t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'application-version-not-found' }), 1);
});

void t.test(
  'what does not decode is a dead letter, what is expired is dropped, neither blocks the rest',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { settled } = await makeStream(connection);
    const dead: { data: string; from: string; error: string }[] = [];
    connection.subscribe('kaa.v1.dead-letter.epr.connectivity', {
      callback: (_error, { data, headers }) =>
        void dead.push({
          data: Buffer.from(data).toString(),
          from: headers!.get('Original-Subject'),
          error: headers!.get('Error'),
        }),
    });
    connection.publish(subject, 'not Avro');
    connection.publish(subject, 'x'.repeat(connection.info!.max_payload));
    connection.publish(
      subject,
      connected({ 'ep-1': 'app-v1' }, { timestamp: Date.now() - 2000, timeout: 1000 }),
    );
    connection.publish(subject, connected({ 'ep-2': 'app-v1' }, { timeout: 600_000 }));
    await connection.flush();
    const register = createVersions();
    const { count } = await consume(t, nats.url, register.submit);
    await until(() => dead.length === 2 && register.history.length === 1);
    await until(settled);
    t.match(dead[0], { data: 'not Avro', from: subject, error: /ConnectedEvent/ });
    t.match(
      dead[1],
      { data: '', error: /1048576 bytes do not fit/ },
      'headers make it too large for the broker',
    );
    t.same(register.history, ['ep-2 app-v1']);
    t.equal(await count('epr_connectivity_messages_total', { result: 'expired' }), 1);
    t.equal(await count('epr_connectivity_messages_total', { result: 'undecodable' }), 2);
  },
);

void t.test(
  'what the register can not take now is tried again, and later messages of the same endpoint wait for it',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { settled } = await makeStream(connection);
    const register = createVersions();
    let refusals = 0;
    register.faults.retry = (command) => command.endpointId === 'ep-1' && refusals++ < 4;
    const connectivity = { ackWaitMs: 150 }; // the retries take longer: the broker must be told
    const options = { communicationService, connectivity };
    const { count } = await startMessaging(t, nats.url, createMemoryOutbox(), options, register.submit);
    for (const version of ['app-v1', 'app-v2', 'app-v1', 'app-v2'])
      connection.publish(subject, connected({ 'ep-1': version }));
    connection.publish(subject, connected({ 'ep-2': 'app-v1' }));
    await until(async () => (await count('epr_connectivity_messages_total', { result: 'done' })) >= 5);
    await until(settled);
    t.equal(register.history[0], 'ep-2 app-v1');
    // the last one again is right, too: the broker gives it again where this process is held up for long
    const changes = register.history.filter((change) => change.startsWith('ep-1'));
    t.same(
      changes.filter((change, i) => change !== changes[i - 1]),
      ['ep-1 app-v1', 'ep-1 app-v2', 'ep-1 app-v1', 'ep-1 app-v2'],
    );
  },
);

void t.test(
  'a process that ends in the middle: the next one gets the rest, and an old message undoes no later one',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { state, settled } = await makeStream(connection);
    const stuck = createVersions();
    stuck.faults.retry = (command) => command.endpointId === 'ep-1';
    const options = { communicationService, connectivity: { ackWaitMs } };
    const first = await startMessaging(t, nats.url, createMemoryOutbox(), options, stuck.submit);
    connection.publish(subject, connected({ 'ep-1': 'app-v1' }));
    connection.publish(subject, connected({ 'ep-2': 'app-v1' }));
    await until(async () => stuck.history.length > 0 && (await state()).num_ack_pending === 1);
    await first.messaging.stop();

    const register = createVersions();
    const second = await startMessaging(t, nats.url, createMemoryOutbox(), options, register.submit);
    connection.publish(subject, connected({ 'ep-1': 'app-v2' }));
    // the broker gives the first message again only now, after the one that came later
    await until(settled);
    t.equal(register.versions.get('ep-1'), 'app-v2');
    t.same(
      [
        await second.count('epr_connectivity_endpoints_total', { outcome: 'stale' }),
        register.history.length,
      ].sort(),
      register.history.length === 1 ? [1, 1] : [0, 2],
      'either dropped as stale, or given before the later one',
    );
  },
);

void t.test('a message given again after a restart undoes no later one that was acknowledged', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { state, settled } = await makeStream(connection);
  const startedMs = Date.now() - 60_000;
  const before = await startRegister(t, ['done', 'stuck', 'late'], startedMs);
  const options = { communicationService, connectivity: { ackWaitMs } };
  const first = await startMessaging(t, nats.url, createMemoryOutbox(), options, submitTo(before, 'stuck'));
  connection.publish(
    subject,
    connected({ done: 'app-v2', stuck: 'app-v2' }, { timestamp: startedMs + 1000 }),
  );
  await until(async () => (await versionOf(before, 'done')) === 'app-v2');
  connection.publish(subject, connected({ done: 'app-v1', late: 'app-v2' }, { timestamp: startedMs + 2000 }));
  await until(async () => (await first.count('epr_connectivity_messages_total', { result: 'done' })) === 1);
  t.equal(await versionOf(before, 'done'), 'app-v1');
  await until(async () => (await state()).num_ack_pending === 1);
  await first.messaging.stop();
  connection.publish(subject, connected({ late: 'app-v1' }, { timestamp: startedMs + 1500 }));

  const after = await before.restart();
  const second = await startMessaging(t, nats.url, createMemoryOutbox(), options, submitTo(after));
  await until(settled);
  t.equal(
    await versionOf(after, 'late'),
    'app-v1',
    'what came meanwhile counts, though its sender is behind',
  );
  t.equal(await versionOf(after, 'done'), 'app-v1', 'as the later message said');
  t.equal(await versionOf(after, 'stuck'), 'app-v2', 'what was not done before is done now');
  t.equal(await second.count('epr_connectivity_endpoints_total', { outcome: 'stale' }), 1);
  t.equal(await second.count('epr_connectivity_endpoints_total', { outcome: 'applied' }), 2);
  connection.publish(subject, connected({ done: 'app-v2' }, { timestamp: startedMs + 1500 }));
  await until(async () => (await versionOf(after, 'done')) === 'app-v2');
  t.pass('a message that is given for the first time counts whatever its time is');
});

void t.test('a stream that is made anew begins with the first place again', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { manager, settled } = await makeStream(connection);
  const register = createVersions();
  const { count } = await consume(t, nats.url, register.submit);
  for (const version of ['app-v1', 'app-v2', 'app-v1', 'app-v2'])
    connection.publish(subject, connected({ 'ep-1': version }));
  await until(async () => (await count('epr_connectivity_messages_total', { result: 'done' })) === 4);
  await until(settled);
  await manager.streams.delete('KPC');
  await new Promise((resolve) => setTimeout(resolve, 200));
  await makeStream(connection);
  connection.publish(subject, connected({ 'ep-1': 'app-v1' }));
  await until(async () => (await count('epr_connectivity_messages_total', { result: 'done' })) === 5);
  t.equal(register.versions.get('ep-1'), 'app-v1');
  t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'stale' }), 0);
});

void t.test('messages that the broker gives as new, for it forgot that they were acknowledged', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { manager, settled } = await makeStream(connection);
  const startedMs = Date.now() - 60_000;
  const before = await startRegister(t, ['e'], startedMs);
  const options = { communicationService };
  const first = await startMessaging(t, nats.url, createMemoryOutbox(), options, submitTo(before));
  for (const [i, version] of ['app-v2', 'app-v1', 'app-v2'].entries())
    connection.publish(subject, connected({ e: version }, { timestamp: startedMs + 1000 * (i + 1) }));
  await until(
    async () => (await first.count('epr_connectivity_endpoints_total', { outcome: 'applied' })) === 3,
  );
  await until(settled);
  await first.messaging.stop();
  // what a SIGKILL of it comes to at worst
  await manager.consumers.delete('KPC', 'epr-connectivity');

  const after = await before.restart();
  const second = await startMessaging(t, nats.url, createMemoryOutbox(), options, submitTo(after));
  await until(async () => (await second.count('epr_connectivity_messages_total', { result: 'done' })) === 3);
  t.equal(
    await second.count('epr_connectivity_endpoints_total', { outcome: 'applied' }),
    0,
    'none is done twice',
  );
  t.equal(await versionOf(after, 'e'), 'app-v2');
  connection.publish(subject, connected({ e: 'app-v1' }, { timestamp: startedMs }));
  await until(async () => (await versionOf(after, 'e')) === 'app-v1');
  t.pass('what is new in the stream counts whatever its time is');
});

void t.test(
  'without JetStream: a queue subscription; with it and no stream: looked for until there is one',
  async (t) => {
    const plain = await startNats(t);
    const nats = await startNats(t, { jetstream: true });
    if (plain === undefined || nats === undefined) return;
    const register = createVersions();
    const one = await consume(t, plain.url, register.submit);
    await until(() => /queue/.test(one.messaging.status().details.connectivity!));
    const connection = await connectTo(t, plain.url);
    for (let i = 0; i < 500; i++) connection.publish(subject, connected({ [`ep-${i}`]: 'app-v1' }));
    await until(() => register.versions.size === 500);

    const options = { communicationService, connectivity: { lookAgainMs: 50 } };
    const two = await startMessaging(t, nats.url, createMemoryOutbox(), options, register.submit);
    await until(() => /no stream/.test(two.messaging.status().details.connectivity!));
    const { manager, settled } = await makeStream(await connectTo(t, nats.url));
    await until(() => /from stream KPC/.test(two.messaging.status().details.connectivity!));
    await manager.consumers.delete('KPC', 'epr-connectivity');
    await until(() => /ended/.test(two.messaging.status().details.connectivity!));
    await until(() => /from stream KPC/.test(two.messaging.status().details.connectivity!));
    await manager.jetstream().publish(subject, connected({ late: 'app-v1' }));
    await until(() => register.versions.has('late'));
    await until(settled);
  },
);

void t.test(
  'a stream that comes back is found soon, and seldom looked for when it is away for long',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const { manager } = await makeStream(await connectTo(t, nats.url));
    const register = createVersions();
    const options = { communicationService, connectivity: { lookAgainMs: 3_600_000 } };
    const { messaging } = await startMessaging(t, nats.url, createMemoryOutbox(), options, register.submit);
    const isSaid = (text: RegExp) => until(() => text.test(messaging.status().details.connectivity!));
    for (const id of ['one', 'two']) {
      await isSaid(/from stream KPC/);
      await manager.jetstream().publish(subject, connected({ [id]: 'app-v1' }));
      await until(() => register.versions.has(id));
      await manager.streams.delete('KPC');
      await isSaid(/no stream captures/);
      await makeStream(await connectTo(t, nats.url));
    }
    await isSaid(/from stream KPC/);

    let looks = 0;
    for (let missingMs = 0; missingMs < 3_600_000; looks++) missingMs += lookPauseMs(missingMs, 30_000);
    t.ok(looks < 150, `${looks} in an hour`);
  },
);

void t.test('a broker that is killed in the middle: every version is set', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  const connection = await connectTo(t, nats.url);
  const { settled } = await makeStream(connection);
  for (let i = 0; i < 2000; i++) connection.publish(subject, connected({ [`ep-${i}`]: 'app-v1' }));
  await connection.flush();
  const register = createVersions();
  register.faults.holdMs = 20;
  const connectivity = { ackWaitMs: 1000, maxMessages: 100 };
  await consume(t, nats.url, register.submit, { connectivity });
  await until(() => register.versions.size > 500);
  await nats.kill();
  await nats.restart();
  await until(() => register.versions.size === 2000);
  await until(settled);
  t.pass('nothing is pending');
});

void t.test('few messages of very many bytes: what there is no room for waits in the stream', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { settled } = await makeStream(connection);
  const messages = 40;
  const each = 300;
  for (let i = 0; i < messages; i++) {
    const ids = Array.from({ length: each }, (_, k) => [`ep-${i}-${k}`, 'app-v1'] as const);
    connection.publish(subject, connected(Object.fromEntries(ids)));
  }
  const size = connected(
    Object.fromEntries(Array.from({ length: each }, (_, k) => [`ep-10-${k}`, 'app-v1'] as const)),
  ).length;
  const register = createVersions();
  let most = 0;
  const { count } = await startMessaging(
    t,
    nats.url,
    createMemoryOutbox(),
    { communicationService, connectivity: { maxBytes: 3 * size } },
    async (commands) => {
      most = Math.max(most, await count('epr_connectivity_bytes_in_flight'));
      return register.submit(commands);
    },
  );
  await until(() => register.versions.size === messages * each);
  await until(settled);
  t.ok(most > 0 && most <= 4 * size, `${most} bytes at the most, of ${size} each`);
  t.ok((await count('epr_connectivity_messages_total', { result: 'postponed' })) > 0);
  t.equal(await count('epr_connectivity_messages_total', { result: 'done' }), messages);
  t.equal(await count('epr_connectivity_bytes_in_flight'), 0);
});
