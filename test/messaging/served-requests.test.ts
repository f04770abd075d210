import { pino } from 'pino';
import t from 'tap';
import { decodeEvent } from '../../src/avro/index.js';
import type { Command } from '../../src/model/command.js';
import { type Outcome, retry } from '../../src/model/outcome.js';
import type { ServedDeps } from '../../src/messaging/index.js';
import { fill, start } from '../register/support.js';
import { startNats } from '../servers/index.js';
import {
  createClient,
  encode,
  eventsOf,
  json,
  metadataOf,
  startAnswering,
  startServing,
  subjectOf,
  untilAnswered,
} from './served-support.js';
import { connectTo, until } from './support.js';

const UPDATE = 'ep-metadata-key-update-request';
const KEYS = 'ep-metadata-keys-get-request';
const BATCH = 'ep-metadata-key-batch-update-request';

const update = (value: unknown, fields: object = {}) => ({
  endpointId: 'e1',
  metadataKey: 'n',
  metadataValue: json(value),
  ...fields,
});

/** A register whose writes wait until they are let go, or come to something else. */
function intercept(register: ServedDeps['register'], submit: (command: Command) => Promise<Outcome>) {
  return { ...register, endpoints: { ...register.endpoints, submit } };
}

/** A register whose writes wait until they are released. */
function holdWrites(register: ServedDeps['register']) {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let submitted = 0;
  const held = intercept(register, async (command) => {
    submitted++;
    await gate;
    return register.endpoints.submit(command);
  });
  return { register: held, release: () => release(), submitted: () => submitted };
}

void t.test('a queue group: each request is answered by one of two, and by no other instance', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const { client, ...one } = await startAnswering(t, nats.url, running.register);
  const other = await startServing(t, nats.url, running.register, { replicaId: 'r2' });
  const stranger = await startServing(t, nats.url, running.register, { instance: 'epr2' });
  await until(() => [other, stranger].every(({ messaging }) => messaging.status().details.connected));
  const labels = { request: UPDATE };
  let sent = 0;
  const answers = async ({ count }: typeof other) => count('epr_nats_requests_total', labels);
  while ((await answers(other)) === 0) {
    const batch = Array.from({ length: 200 }, () => client.epmmp(UPDATE, update(sent++)));
    t.same([...new Set((await Promise.all(batch)).map(({ statusCode }) => statusCode))], [200]);
  }
  t.equal((await answers(one)) + (await answers(other)), sent);
  t.ok((await answers(one)) > 0 && (await answers(other)) > 0, 'both have answered some');
  t.equal(await answers(stranger), 0);
});

void t.test('expired requests are dropped and counted, also those that expire while they wait', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const { register, release } = holdWrites(running.register);
  const options = { served: { maxUnderWay: 1 } };
  const { client, count } = await startAnswering(t, nats.url, register, options);
  const send = (fields: object) =>
    client.connection.publish(subjectOf('epmmp', UPDATE), encode('epmmp', UPDATE, update(9, fields)));
  const waits = client.epmmp(UPDATE, update(1, { timeout: 3_600_000 }));
  await until(async () => (await count('epr_nats_requests_under_way')) === 1);
  send({ timestamp: Date.now(), timeout: 30 });
  send({ timestamp: Date.now() - 10_000, timeout: 9_000 });
  await until(async () => (await count('epr_nats_requests_waiting')) === 2);
  await new Promise((resolve) => setTimeout(resolve, 40));
  t.equal(await count('epr_nats_requests_dropped_total'), 0);
  release();
  t.equal((await waits).statusCode, 200);
  await until(async () => (await count('epr_nats_requests_waiting')) === 0);
  const labels = { protocol: 'epmmp', request: UPDATE, reason: 'expired' };
  t.equal(await count('epr_nats_requests_dropped_total', labels), 2);
  t.same(await metadataOf(client, 'e1'), { n: 1 });
  const old = { timestamp: Date.now() - 10_000, timeout: 0 };
  t.equal((await client.epmmp(UPDATE, update(2, old))).statusCode, 200, '0 is never');
});

void t.test('what does not decode is counted, dropped, and blocks nothing', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const { client, count } = await startAnswering(t, nats.url, running.register);
  const replies: string[] = [];
  client.connection.subscribe('back', { callback: (_error, { subject }) => void replies.push(subject) });
  const whole = encode('epmmp', UPDATE, update(1));
  const bad = [Buffer.alloc(0), Buffer.from('no Avro'), whole.subarray(0, -1), Buffer.concat([whole, whole])];
  for (const payload of bad)
    client.connection.publish(subjectOf('epmmp', UPDATE), payload, { reply: 'back' });
  client.connection.publish(subjectOf('eprmp', 'ep-relations-get-request'), 'no', { reply: 'back' });
  client.connection.publish(subjectOf('efmp', 'ep-filters-request'), 'no', { reply: 'back' });
  t.equal((await client.epmmp(UPDATE, update(2))).statusCode, 200);
  await until(async () => (await count('epr_nats_requests_dropped_total', { reason: 'undecodable' })) === 6);
  t.equal(await count('epr_nats_requests_dropped_total', { request: UPDATE }), 4);
  t.same(replies, []);
});

void t.test(
  'answers go to whatever reply subject; without one a write is done, a question is not',
  async (t) => {
    const nats = await startNats(t);
    if (nats === undefined) return;
    const running = await start(t);
    await fill(t, running, { e1: {} });
    const { client, count } = await startAnswering(t, nats.url, running.register);
    const replies: string[] = [];
    const subject = 'kaa.v1.replica.kpc-7.epmmp.response';
    client.connection.subscribe(subject, { callback: (_error, { subject }) => void replies.push(subject) });
    client.connection.publish(subjectOf('epmmp', UPDATE), encode('epmmp', UPDATE, update('quiet')));
    client.connection.publish(subjectOf('epmmp', KEYS), encode('epmmp', KEYS, { endpointId: 'e1' }));
    client.connection.publish(
      subjectOf('epmmp', UPDATE),
      encode('epmmp', UPDATE, update(2, { metadataKey: 'm' })),
      {
        reply: subject,
      },
    );
    await until(() => replies.length === 1);
    t.same(await metadataOf(client, 'e1'), { n: 'quiet', m: 2 });
    await until(
      async () => (await count('epr_nats_requests_dropped_total', { reason: 'unanswerable' })) === 2,
    );
    t.equal(await count('epr_nats_requests_total', { request: UPDATE, status: '200' }), 2);
  },
);

void t.test(
  'writes on one endpoint take effect in the order they were sent, whatever they are',
  async (t) => {
    const nats = await startNats(t);
    if (nats === undefined) return;
    const running = await start(t);
    await fill(t, running, { e1: { n: 0 }, e2: {} });
    const options = { served: { maxUnderWay: 4 } };
    const { client } = await startAnswering(t, nats.url, running.register, options);
    const statuses: Promise<number>[] = [];
    const send = async (name: string, fields: object) => (await client.epmmp(name, fields)).statusCode;
    for (let n = 1; n <= 400; n++) {
      const { endpointId, metadataKey, metadataValue } = update(n);
      const patch = json([
        { op: 'test', path: '/n', value: n - 1 },
        { op: 'replace', path: '/n', value: n },
      ]);
      const correlationId = String(n);
      if (n % 3 === 0)
        statuses.push(send('ep-metadata-patch-request', { endpointId, ifMatch: null, patch, correlationId }));
      else if (n % 3 === 1) statuses.push(send(UPDATE, update(n, { correlationId })));
      else {
        const commands = [update(n, { endpointId: 'e2' }), { endpointId, metadataKey, metadataValue }];
        statuses.push(send(BATCH, { commands, correlationId }));
      }
    }
    t.same([...new Set(await Promise.all(statuses))], [200]);
    const order = eventsOf(running, 'metadata-updated').flatMap(({ source, payload }) =>
      source === 'e1' ? [Number(decodeEvent('metadata-updated', payload).correlationId)] : [],
    );
    t.same(
      order,
      Array.from({ length: 400 }, (_, i) => i + 1),
    );
    t.same(await metadataOf(client, 'e1'), { n: 400 });
  },
);

void t.test(
  'so many at a time, some more wait, and beyond that they are answered 429; reads go on',
  async (t) => {
    const nats = await startNats(t);
    if (nats === undefined) return;
    const running = await start(t);
    await fill(t, running, { e1: {} });
    const { register, release, submitted } = holdWrites(running.register);
    const options = { served: { maxUnderWay: 4, maxWaiting: 3, maxWaitingBytes: 10_000 } };
    const { client, count, ...serving } = await startAnswering(t, nats.url, register, options);
    const commands = Array.from({ length: 4 }, (_, i) => update(i));
    const taken = [
      client.epmmp(BATCH, { commands }),
      ...[5, 6, 7].map((n) => client.epmmp(UPDATE, update(n))),
    ];
    await until(async () => (await count('epr_nats_requests_waiting')) === 3);
    t.equal(submitted(), 4, 'a batch weighs what it holds');
    t.match(await client.epmmp(UPDATE, update(8)), {
      endpointId: 'e1',
      correlationId: 'c-1',
      statusCode: 429,
      reasonPhrase: /3 requests over NATS wait/,
    });
    t.equal((await client.epmmp(KEYS, { endpointId: 'e1' })).statusCode, 200);

    const stopping = serving.stop();
    await until(() =>
      client.connection.request(subjectOf('epmmp', KEYS), '', { timeout: 1000 }).then(
        () => false,
        (error: Error & { code: string }) => error.code === '503',
      ),
    );
    release();
    t.same(
      (await Promise.all(taken)).map(({ statusCode }) => statusCode),
      [200, 200, 200, 200],
      'what was taken before the stop is answered',
    );
    await stopping;
    t.equal(await count('epr_nats_requests_under_way'), 0);
    t.same(submitted(), 7);
  },
);

void t.test('bytes that wait are bounded, too', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const { register, release } = holdWrites(running.register);
  const options = { served: { maxUnderWay: 1, maxWaitingBytes: 10_000 } };
  const { client, count } = await startAnswering(t, nats.url, register, options);
  const taken = [1, 'x'.repeat(9_000)].map((value) => client.epmmp(UPDATE, update(value)));
  await until(async () => (await count('epr_nats_requests_waiting')) === 1);
  t.equal((await client.epmmp(UPDATE, update('x'.repeat(9_000)))).statusCode, 429);
  release();
  t.same(
    (await Promise.all(taken)).map(({ statusCode }) => statusCode),
    [200, 200],
  );
});

void t.test('what is wrong on our side: queue full, storage away, stopping, a fault', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined) return;
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const lines: string[] = [];
  const outcomes: Outcome[] = [
    retry('overloaded', 'full'),
    retry('storage-unavailable', 'away'),
    retry('stopping', 'stopping'),
    retry('internal', 'fault'),
  ];
  const register = intercept(running.register, async () => {
    const next = outcomes.shift();
    if (next === undefined) throw new Error('a fault of ours');
    return next;
  });
  const { client } = await startAnswering(
    t,
    nats.url,
    register,
    {},
    {},
    pino({}, { write: (line) => void lines.push(line) }),
  );
  const statuses: number[] = [];
  for (let i = 0; i < 5; i++) statuses.push((await client.epmmp(UPDATE, update(i))).statusCode);
  t.same(statuses, [429, 503, 503, 500, 500]);
  const logged = lines.filter((line) => line.includes('a fault of ours'));
  t.match(logged, [/"correlationId":"c-1"/]);
  outcomes.push(retry('overloaded', 'full'));
  const commands = [update(1)];
  t.match(await client.epmmp(BATCH, { commands }), {
    statusCode: 429,
    reasonPhrase: /1 of 1 command failed, of e1/,
  });
});

void t.test('the broker is away at the start, and goes and comes back', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  await nats.stop();
  const running = await start(t);
  await fill(t, running, { e1: {} });
  const { messaging } = await startServing(t, nats.url, running.register);
  t.equal(messaging.status().details.requests, 'not connected');
  await nats.restart();
  const client = createClient(await connectTo(t, nats.url));
  await untilAnswered(client);
  t.equal((await client.epmmp(UPDATE, update(1))).statusCode, 200);
  t.equal(messaging.status().details.requests, 'answering');
  await nats.kill();
  await until(() => messaging.status().details.requests === 'not connected');
  await nats.restart();
  await until(() => !client.connection.isClosed() && messaging.status().details.requests === 'answering');
  await untilAnswered(client);
  t.equal((await client.epmmp(UPDATE, update(2))).statusCode, 200);
  t.same(await metadataOf(client, 'e1'), { n: 2 });
});

void t.test(
  'a subject that may not be subscribed to: said in the health, the rest is answered',
  async (t) => {
    const deny = `subscribe: { deny: ["${subjectOf('efmp', 'ep-filters-request')}"] }`;
    const users = `{ user: u, password: p, permissions: { ${deny} } }, { user: c, password: p }`;
    const nats = await startNats(t, { config: `authorization { users: [${users}] }` });
    if (nats === undefined || !nats.managed) return;
    const running = await start(t);
    await fill(t, running, { e1: {} });
    const credentials = { username: 'u', password: 'p' };
    const { messaging } = await startServing(t, nats.url, running.register, credentials);
    const client = createClient(await connectTo(t, nats.url, { user: 'c', pass: 'p' }));
    await untilAnswered(client);
    await until(() => messaging.status().details.requests !== 'answering');
    t.match(messaging.status().details.requests, /ep-filters-request.*Permissions Violation/i);
    t.equal((await client.epmmp(UPDATE, update(1))).statusCode, 200);
  },
);
