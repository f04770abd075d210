import t from 'tap';
import { mix } from '../../src/model/hash.js';
import { SEED } from '../fast-check.js';
import { command, set } from '../register/support.js';
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
import { catalogue, connectTo, createMemoryOutbox, silent, startMessaging, until } from './support.js';

let drawn = SEED;
const random = (below: number) => (mix(++drawn) >>> 0) % below;

void t.test(
  'events beside changes, unregistrations and other ways to a version: the last one counts',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { settled } = await makeStream(connection);
    const ids = Array.from({ length: 100 }, (_, i) => `e${i}`);
    const running = await startRegister(t, ids, Date.now() - 60_000);
    const { endpoints } = running.register;
    let atOnce = 0;
    const { count } = await startMessaging(
      t,
      nats.url,
      createMemoryOutbox(),
      { communicationService },
      submitTo(running),
      silent,
      {
        answerNow: (command) => {
          const outcome = endpoints.answerNow(command);
          if (outcome !== undefined) atOnce++;
          return outcome;
        },
      },
    );
    const rounds = 80;
    const others: Promise<unknown>[] = [];
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 20; i++) {
        const reported = Object.fromEntries(
          Array.from({ length: 1 + random(3) }, () => [
            ids[random(ids.length)]!,
            `app-v${random(5) === 0 ? 2 : 1}`,
          ]),
        );
        connection.publish(subject, connected(reported));
      }
      for (let i = 0; i < 3; i++) {
        const id = ids[random(ids.length)]!;
        const version = catalogue.version(`app-v${1 + random(2)}`)!;
        // not in the last rounds: what comes last is to be an event
        if (round < rounds / 2 && i === 0)
          others.push(endpoints.submit(command(id, { type: 'set-version', version })));
        else if (round < rounds / 2 && i === 1) {
          others.push(endpoints.submit(command(id, { type: 'unregister' })));
          others.push(
            endpoints.submit(command(id, { type: 'register', version, metadataText: '{}', tokenHash: id })),
          );
        } else others.push(endpoints.submit(set(id, 'n', round)));
      }
      await connection.flush();
    }
    const everywhere = Object.fromEntries(ids.map((id) => [id, `app-v${1 + random(2)}`]));
    connection.publish(subject, connected(everywhere));
    await connection.flush();
    await Promise.all(others);
    await until(async () => (await count('epr_connectivity_messages_total')) >= rounds * 20 + 1);
    await until(settled);
    for (const id of ids) t.equal(await versionOf(running, id), everywhere[id], id);
    t.ok(atOnce > 100, `${atOnce} were answered at once`);
    const of = (outcome: string) => count('epr_connectivity_endpoints_total', { outcome });
    t.ok((await of('applied')) > 0 && (await of('unchanged')) >= atOnce);
  },
);

void t.test(
  'an event of thousands of endpoints, read in several turns, and others about them behind it',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { settled } = await makeStream(connection);
    const known = ['a', 'b', 'c'];
    const running = await startRegister(t, known, Date.now() - 60_000);
    const limits = { communicationService, connectivity: { maxCommands: 100 } };
    const endpoints = running.register.endpoints;
    const { count, messaging } = await startMessaging(
      t,
      nats.url,
      createMemoryOutbox(),
      limits,
      submitTo(running),
      silent,
      // half of what is answered at once is not, and waits for one of the places
      { answerNow: (command) => (random(2) === 0 ? undefined : endpoints.answerNow(command)) },
    );
    const many = (version: string) => ({
      ...Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`unknown-${i}`, version])),
      ...Object.fromEntries(known.map((id) => [id, version])),
    });
    for (const version of ['app-v2', 'app-v1', 'app-v2']) {
      connection.publish(subject, connected(many(version)));
      connection.publish(subject, connected({ a: version }));
    }
    await connection.flush();
    await until(async () => (await count('epr_connectivity_messages_total', { result: 'done' })) === 6);
    await until(settled);
    for (const id of known) t.equal(await versionOf(running, id), 'app-v2', id);
    t.equal(await count('epr_connectivity_endpoints_total', { outcome: 'endpoint-not-found' }), 30_000);
    t.equal(await count('epr_connectivity_endpoints_total'), 3 * 10_003 + 3);
    t.equal(await count('epr_connectivity_messages_in_flight'), 0);
    await messaging.stop();
  },
);
