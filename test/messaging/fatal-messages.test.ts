import t from 'tap';
import type { Outcome } from '../../src/model/outcome.js';
import { startNats } from '../servers/index.js';
import {
  communicationService,
  connected,
  connectedSubject,
  makeStream,
  startRegister,
  submitTo,
} from './connectivity-support.js';
import { hearLog } from './heard-log.js';
import { connectTo, createMemoryOutbox, startMessaging, until } from './support.js';

const thread = { file: new URL('../workers/dying-worker.js', import.meta.url) };
const DEAD = 'kaa.v1.dead-letter.epr.connectivity';

for (const jetstream of [true, false])
  void t.test(
    `a message that kills each thread is a dead letter after some tries, ${jetstream ? 'from a stream' : 'without JetStream'}`,
    async (t) => {
      const nats = await startNats(t, { jetstream });
      if (nats === undefined) return;
      const running = await startRegister(t, ['good', 'bad'], Date.now() - 60_000, { thread, threads: 1 });
      const connection = await connectTo(t, nats.url);
      const stream = jetstream ? await makeStream(connection) : undefined;
      const dead: { data: Uint8Array; error: string }[] = [];
      connection.subscribe(DEAD, {
        callback: (_error, { data, headers }) => void dead.push({ data, error: headers!.get('Error') }),
      });
      const { log, said } = hearLog();
      const { count, messaging } = await startMessaging(
        t,
        nats.url,
        createMemoryOutbox(),
        { communicationService },
        submitTo(running),
        log,
      );
      const from = jetstream ? /from stream/ : /queue/;
      await until(() => from.test(messaging.status().details.connectivity!));
      const fatal = connected({ bad: 'app-v2' }, { correlationId: 'die-of-exit!' });
      connection.publish(connectedSubject, fatal);
      connection.publish(connectedSubject, connected({ good: 'app-v2' }));
      await until(() => dead.length === 1);
      t.same(Buffer.from(dead[0]!.data), Buffer.from(fatal), 'with its bytes');
      t.match(dead[0]!.error, /^Of endpoint bad: .* Given 4 times\.$/);
      // its dead letter can be read a moment before that is known here
      await until(async () => (await count('epr_connectivity_messages_total', { result: 'fatal' })) > 0);
      t.equal(await count('epr_connectivity_messages_total', { result: 'fatal' }), 1);
      t.equal(await count('epr_connectivity_messages_total', { result: 'done' }), 1, 'the other');
      t.equal(said(/fails or kills worker threads each time/).length, 1);
      const deaths = /^epr_worker_deaths_total (\d+)$/m.exec(await running.metrics.metrics());
      t.ok(Number(deaths![1]) >= 8, `tried often enough: ${deaths![1]} deaths`);
      if (stream !== undefined) await until(stream.settled);
      connection.publish(connectedSubject, connected({ bad: 'app-v2' }));
      await until(
        async () => (await count('epr_connectivity_endpoints_total', { outcome: 'applied' })) === 2,
      );
      t.pass('its endpoint goes on');
    },
  );

void t.test('faults of ours make no dead letter, however often', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { state, settled } = await makeStream(connection);
  let dead = 0;
  connection.subscribe(DEAD, { callback: () => void dead++ });
  const fault: { outcome?: Outcome; tries: number; probes: number } = { tries: 0, probes: 0 };
  const { count } = await startMessaging(
    t,
    nats.url,
    createMemoryOutbox(),
    { communicationService },
    (commands) => {
      fault.tries += commands.length;
      fault.probes += commands.filter(({ endpointId }) => endpointId !== 'a').length;
      const done: Outcome = {
        kind: 'applied',
        revision: 1,
        metadataRevision: 1,
        createdMs: 0,
        versionSinceMs: 0,
      };
      return Promise.resolve(commands.map(() => fault.outcome ?? done));
    },
  );
  const message = 'away';
  const tell = (id: string) => connection.publish(connectedSubject, connected({ [id]: 'app-v1' }));

  fault.outcome = { kind: 'retry', code: 'storage-unavailable', message };
  tell('a');
  await until(() => fault.tries > 3);
  t.equal((await state()).delivered.consumer_seq, 1, 'tried here, not given back');

  // as if each thread died of everything: nothing else works either
  fault.outcome = { kind: 'retry', code: 'internal', message, failsAlone: true };
  await until(() => fault.probes === 1);
  t.equal((await state()).delivered.consumer_seq, 4);
  delete fault.outcome;
  await until(settled);
  t.equal(await count('epr_connectivity_messages_total', { result: 'done' }), 1);
  t.equal(dead, 0);
});
