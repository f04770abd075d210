import t, { type Test } from 'tap';
import { createDurabilityNotice } from '../../src/messaging/durability-notice.js';
import type { MessagingOptions } from '../../src/messaging/options.js';
import { type NatsServer, startNats } from '../servers/index.js';
import { hearLog } from './heard-log.js';
import { connectTo, createMemoryOutbox, readStream, startMessaging, until } from './support.js';

const eventsStream = 'EVENTS';
const SUBJECT = 'kaa.v1.events.epr.>';
const quick = {
  eventsStream,
  relay: { ackTimeoutMs: 300, stopMs: 10 },
  link: { retryFirstMs: 20, retryMostMs: 100 },
};

async function start(t: Test, nats: NatsServer, options: Partial<MessagingOptions> = {}) {
  const outbox = createMemoryOutbox();
  const { texts: lines, log } = hearLog('warn');
  const started = await startMessaging(t, nats.url, outbox, { ...quick, ...options }, undefined, log);
  return {
    ...started,
    lines,
    outbox,
    publish: () => started.messaging.sink.committed([outbox.commit('ep-1'), outbox.commit('ep-2')]),
    /** resolves when it is so, and what was given waits */
    waits: async (pattern: RegExp) => {
      await until(() => pattern.test(started.messaging.status().details.waiting ?? ''));
      t.equal(started.messaging.status().details.backlog, 2);
      t.equal(await started.count('epr_events_published_total'), 0);
      // the second attempt is the first that is logged
      await until(() => lines.some((line) => pattern.test(line)));
    },
    published: async () => {
      await until(() => outbox.size() === 0);
      t.equal(started.messaging.status().details.waiting, undefined);
      t.equal(await started.count('epr_events_published_total'), 2);
    },
  };
}

async function managerOf(t: Test, url: string, credentials = {}) {
  return (await connectTo(t, url, credentials)).jetstreamManager();
}

void t.test('a stream that lacks our subjects gets them, and is left as it is otherwise', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const manager = await managerOf(t, nats.url);
  await manager.streams.add({
    name: eventsStream,
    description: 'ours',
    subjects: ['other.>', 'kaa.v1.events.epr.endpoint.>'],
    max_msgs: 1234,
  });
  const { publish, published } = await start(t, nats);
  publish();
  await published();
  const { config, state } = await manager.streams.info(eventsStream);
  t.match(config, { description: 'ours', subjects: ['other.>', SUBJECT], max_msgs: 1234 });
  t.equal(state.messages, 2);
  await manager.streams.update(eventsStream, { ...config, subjects: ['other.>'] });
  await until(async () =>
    ((await manager.streams.info(eventsStream)).config.subjects ?? []).includes(SUBJECT),
  );
  t.pass('and gets them again');
});

void t.test(
  'what stands in the way is said, with the remedy, and events wait until it is gone',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const manager = await managerOf(t, nats.url);

    await t.test('another stream has the subjects', async (t) => {
      await manager.streams.add({ name: 'OTHER', subjects: ['kaa.v1.events.epr.endpoint.>'] });
      const { publish, published, waits, lines } = await start(t, nats);
      publish();
      await waits(/stream EVENTS can not be created, .*overlap.* are in the stream OTHER: name that one in/);
      await new Promise((resolve) => setTimeout(resolve, 1200));
      t.equal(lines.filter((line) => line.includes('can not be created')).length, 1, 'said once');
      t.equal((await readStream(await connectTo(t, nats.url), 'OTHER')).length, 0, 'nothing goes elsewhere');
      await manager.streams.delete('OTHER');
      await published();
    });

    await t.test('it acknowledges nothing', async (t) => {
      await manager.streams.delete(eventsStream);
      await manager.streams.add({ name: eventsStream, subjects: [SUBJECT], no_ack: true });
      const { publish, published, waits } = await start(t, nats);
      publish();
      await waits(/acknowledges nothing \(no_ack\).*Turn no_ack off/);
      await manager.streams.update(eventsStream, { subjects: [SUBJECT], no_ack: false });
      await published();
    });
  },
);

void t.test('no JetStream: events wait for it, when a stream is configured', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const { publish, published, waits } = await start(t, nats);
  publish();
  await waits(/no server of this NATS has JetStream, .*leave the setting out/);
  await nats.configure(`jetstream { store_dir: ${JSON.stringify(nats.storeDir)} }`);
  await nats.restart();
  await published();
  t.equal((await readStream(await connectTo(t, nats.url), eventsStream)).length, 2);
});

void t.test('rights that are missing', async (t) => {
  const as = (permissions: string) => `authorization { users: [
    { user: admin, password: p }, { user: u, password: p, permissions: { ${permissions} } }] }`;
  const user = { username: 'u', password: 'p' };
  const admin = { user: 'admin', pass: 'p' };

  await t.test('to create', async (t) => {
    const nats = await startNats(t, {
      jetstream: true,
      config: as('publish: { deny: ["$JS.API.STREAM.CREATE.>"] }'),
    });
    if (nats === undefined || !nats.managed) return;
    const { publish, published, waits } = await start(t, nats, user);
    publish();
    await waits(/may not create the stream EVENTS.*\$JS.API.STREAM.CREATE.EVENTS, or create .*yourself/);
    await (await managerOf(t, nats.url, admin)).streams.add({ name: eventsStream, subjects: [SUBJECT] });
    await published();
  });

  await t.test('to update', async (t) => {
    const nats = await startNats(t, {
      jetstream: true,
      config: as('publish: { deny: ["$JS.API.STREAM.UPDATE.>"] }'),
    });
    if (nats === undefined || !nats.managed) return;
    const manager = await managerOf(t, nats.url, admin);
    await manager.streams.add({ name: eventsStream, subjects: ['other.>'] });
    const { publish, published, waits } = await start(t, nats, user);
    publish();
    await waits(/may not update the stream EVENTS.*with the subject kaa.v1.events.epr.>/);
    await manager.streams.update(eventsStream, { subjects: [SUBJECT] });
    await published();
  });

  await t.test('those that the documentation lists are enough', async (t) => {
    const stream = ['INFO', 'CREATE', 'UPDATE'].map((each) => `$JS.API.STREAM.${each}.EVENTS`);
    const publishes = [SUBJECT, 'kaa.v1.dead-letter.epr.>', '$JS.API.STREAM.LIST', ...stream];
    const subscribes = ['_INBOX.>', '$JS.EVENT.ADVISORY.STREAM.>'];
    const config = as(
      `publish: { allow: ${JSON.stringify(publishes)} }, subscribe: { allow: ${JSON.stringify(subscribes)} }`,
    );
    const nats = await startNats(t, { jetstream: true, config });
    if (nats === undefined || !nats.managed) return;
    const { publish, published, count } = await start(t, nats, user);
    publish();
    await published();
    const manager = await managerOf(t, nats.url, admin);
    await manager.streams.update(eventsStream, { subjects: ['other.>'] });
    await until(async () => (await manager.streams.info(eventsStream)).config.subjects.includes(SUBJECT));
    t.equal(await count('epr_nats_denials_total'), 0);
  });

  await t.test('to ask JetStream anything: an acknowledgement is waited for all the same', async (t) => {
    const nats = await startNats(t, { jetstream: true, config: as('publish: { deny: ["$JS.API.>"] }') });
    if (nats === undefined || !nats.managed) return;
    const { publish, published, waits, lines } = await start(t, nats, user);
    publish();
    await waits(/No stream captures the subject/);
    t.match(lines.join('\n'), /may not look at the stream EVENTS.*\$JS.API.STREAM.INFO.EVENTS/);
    await (await managerOf(t, nats.url, admin)).streams.add({ name: eventsStream, subjects: [SUBJECT] });
    await published();
  });
});

void t.test('a stream that may lose what it acknowledged: a warning with the remedy', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const weak =
    /The stream EVENTS has 1 replica, .*sync_interval: always.*nats.jetstream.sync-always.*epr republish/;
  const warned = async (t: Test, options: Partial<MessagingOptions>, pattern: RegExp) => {
    const { publish, published, lines } = await start(t, nats, options);
    publish();
    await published();
    t.match(lines.join('\n'), pattern);
  };
  await t.test('made by the service', (t) => warned(t, {}, weak));
  await t.test('the operator says that the server flushes', async (t) => {
    const { publish, published, lines } = await start(t, nats, { syncAlways: true });
    publish();
    await published();
    t.same(lines, []);
  });
  const manager = await managerOf(t, nats.url);
  await t.test('found, when no stream is configured', async (t) => {
    const { eventsStream: _, ...options } = quick;
    const { texts: lines, log } = hearLog('warn');
    await startMessaging(t, nats.url, createMemoryOutbox(), options, undefined, log);
    await until(() => weak.test(lines.join('\n')));
  });
  await manager.streams.delete(eventsStream);
  await manager.streams.add({ name: eventsStream, subjects: [SUBJECT], storage: 'memory' as never });
  await t.test('in memory', (t) =>
    warned(t, { syncAlways: true }, /EVENTS keeps events in memory: .*when its server stops.*"file"/),
  );
});

void t.test('three replicas are no reason to warn, two are', (t) => {
  const { texts: lines, log } = hearLog('warn');
  const look = createDurabilityNotice(false, log);
  const stream = { name: 'A', storage: 'file' as const, num_replicas: 3 };
  look([stream]);
  t.same(lines, []);
  look([{ ...stream, num_replicas: 2 }]);
  look([{ ...stream, num_replicas: 2 }]);
  t.match(lines, [/The stream A has 2 replicas/]);
  t.equal(lines.length, 1, 'once');
  look([{ ...stream, persist_mode: 'async' }]);
  t.match(lines[1], /The stream A acknowledges events before they are written/);
  t.end();
});

void t.test('a stream that is full: said with the remedy, and when it goes on', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const manager = await managerOf(t, nats.url);
  for (const limit of [{ max_msgs: 1 }, { max_bytes: 1000 }]) {
    await t.test(Object.keys(limit)[0]!, async (t) => {
      await manager.streams.delete(eventsStream).catch(() => undefined);
      const config = { name: eventsStream, subjects: [SUBJECT], discard: 'new' as never };
      await manager.streams.add({ ...config, ...limit });
      const outbox = createMemoryOutbox();
      const { log, texts, said } = hearLog();
      const { messaging, count } = await startMessaging(t, nats.url, outbox, quick, undefined, log);
      const entries = Array.from({ length: 20 }, (_, i) => outbox.commit(`ep-${i}`, ['registered'], 400));
      messaging.sink.committed(entries);
      const remedy =
        /refuses it: maximum (messages|bytes) exceeded \(10077\)\. Give the stream more room .*discard old/;
      await until(() => texts.some((text) => /not published yet/.test(text) && remedy.test(text)));
      await until(async () => (await count('epr_event_publish_failures_total')) > 40);
      t.match(messaging.status().details.waiting, remedy);
      t.equal(said(/not published yet/).length, 1, 'not for each');
      t.equal(said(/are published now/).length, 0);
      await manager.streams.update(eventsStream, { ...config, max_msgs: -1, max_bytes: -1 });
      await until(() => outbox.size() === 0);
      t.equal(said(/Events that were refused are published now/).length, 1);
      t.match(
        texts.filter((text) => /published/.test(text)),
        [
          /not published yet; trying again\. /,
          /not published yet; .* This is the last of \d+/,
          /are published now/,
        ],
        'in this order',
      );
      t.equal(messaging.status().details.waiting, undefined);
    });
  }
});

void t.test('some are refused for long, others go on: it is still said why', async (t) => {
  const denied = 'publish: { deny: ["kaa.v1.events.epr.endpoint.>"] }';
  const config = `authorization { users: [{ user: u, password: p, permissions: { ${denied} } }] }`;
  const nats = await startNats(t, { jetstream: true, config });
  if (nats === undefined || !nats.managed) return;
  const { messaging, outbox, lines, count } = await start(t, nats, { username: 'u', password: 'p' });
  messaging.sink.committed([outbox.commit('ep-1')]);
  const permit = /does not let us publish to kaa.v1.events.epr.endpoint.metadata.updated. Permit it/;
  await until(() => lines.some((line) => /not published yet/.test(line) && permit.test(line)));
  messaging.sink.committed([outbox.commit('f1', ['filter-pending'])]);
  await until(async () => (await count('epr_events_published_total')) === 1);
  t.match(messaging.status().details.waiting, permit);
});

void t.test(
  'a stream that is deleted: a warning that names what can be done about what was in it',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const manager = await managerOf(t, nats.url);
    const gone = (what: string) => new RegExp(`The stream EVENTS ${what}: .*epr republish --since <`);
    await t.test('made anew by the service', async (t) => {
      const { publish, published, lines } = await start(t, nats);
      publish();
      await published();
      t.notOk(
        lines.some((line) => line.includes('epr republish --since <the')),
        'not at its first making',
      );
      await manager.streams.delete(eventsStream);
      await until(() => lines.some((line) => gone('was deleted and made anew').test(line)));
      t.same((await manager.streams.info(eventsStream)).config.subjects, [SUBJECT]);
    });
    await t.test('one that is not ours to make', async (t) => {
      const { eventsStream: _, ...options } = quick;
      const { texts, log } = hearLog('warn');
      const { messaging } = await startMessaging(t, nats.url, createMemoryOutbox(), options, undefined, log);
      // it knows the stream when it has warned of its one replica
      await until(() => texts.some((text) => /EVENTS has 1 replica/.test(text)));
      await manager.streams.delete(eventsStream);
      await until(() => texts.some((text) => gone('is gone, or takes our events no more').test(text)));
      t.ok(messaging.status().details.connected);
    });
    await t.test('while nobody runs', async (t) => {
      const texts = new Map<string, string>();
      const store = {
        isAway: false,
        async getText(name: string) {
          if (store.isAway) throw new Error('away');
          return texts.get(name);
        },
        putText: async (name: string, text: string) => void texts.set(name, text),
        removeText: async (name: string) => void texts.delete(name),
      };
      const run = async (t: Test) => {
        const heard = hearLog('info');
        const { messaging } = await startMessaging(
          t,
          nats.url,
          createMemoryOutbox(),
          quick,
          undefined,
          heard.log,
          { texts: store },
        );
        await until(() => heard.said(/Looked up which subjects/).length === 1);
        return {
          ...heard,
          messaging,
          warned: () => heard.texts.some((text) => gone('(was|is) .*').test(text)),
        };
      };
      const known = async () => {
        const { created } = await manager.streams.info(eventsStream);
        return texts.get('events-streams')?.includes(created) === true;
      };
      const first = await run(t);
      await until(known);
      await first.messaging.stop();
      t.notOk(first.warned(), 'it was there before, but not by what is known');

      const second = await run(t);
      await second.messaging.stop();
      t.notOk(second.warned(), 'nothing has changed');

      await manager.streams.delete(eventsStream);
      store.isAway = true;
      const third = await run(t);
      t.notOk(third.warned());
      store.isAway = false;
      // makes it look
      await manager.streams.add({ name: 'OTHER', subjects: ['other'] });
      await until(() => third.texts.some((text) => gone('was deleted and made anew').test(text)));
      await until(known);
      await third.messaging.stop();

      const fourth = await run(t);
      await fourth.messaging.stop();
      t.notOk(fourth.warned(), 'once');
    });
  },
);
