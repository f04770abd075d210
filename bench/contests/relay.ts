import { setTimeout as sleep } from 'node:timers/promises';
import { nanos } from 'nats';
import { RELAY_DEFAULTS } from '../../src/messaging/options.js';
import { startChild } from '../children.js';
import type { MessageRange, PublishWay } from '../clients/bare-publisher.js';
import { createMetadataLines, type MetadataLines } from '../clients/observation-lines.js';
import type { Contest, Contestant, Run, Sample, Surroundings } from '../contest.js';
import { processorTimeEach, readProcessorTime, type Processes } from '../processor-time.js';
import { EVENTS_STREAM, startBroker, type Broker } from '../servers/outside.js';
import { startService, type Service } from '../servers/service.js';

const EVENTS = 'kaa.v1.events.epr.';
const { maxInFlight } = RELAY_DEFAULTS;
const POLL_MS = 5;
/** A stream that has not grown for so long may have got all. */
const QUIET_MS = 1500;
const LINES_AT_ONCE = 5000;

/** What a contestant published in a run. */
interface Growth {
  /** the stream's last message before and after */
  firstSeq: number;
  lastSeq: number;
  sample: Sample;
}

export const relay: Contest = {
  id: 'relay',
  title: `The outbox relay: a backlog published to JetStream, ${maxInFlight} messages under way at most`,
  unit: 'events/s',
  async open(surroundings) {
    const broker = await startBroker(surroundings);
    if (broker === undefined) return undefined;
    if (!broker.managed) {
      surroundings.tell('  left out: it stops the broker, and that of NATS_URL is not its own');
      return undefined;
    }
    const service = await startService(
      { storageUrl: `file:${surroundings.folder}/relay-data`, natsUrl: broker.url, name: 'relay' },
      surroundings,
    );
    let last: MessageRange | undefined;
    const own = createOwn(broker, service, surroundings, (range) => (last = range));
    // Never before the service's first run: what it has published is what the others publish.
    const published = () => last!;
    return [
      own,
      await createBare('js', 'bare publish of the client', broker, surroundings, published),
      await createBare('plain', 'bare plain messages', broker, surroundings, published),
    ];
  },
};

function createOwn(
  broker: Broker,
  service: Service,
  { fleet, messages }: Surroundings,
  done: (range: MessageRange) => void,
): Contestant {
  const lines = createMetadataLines(new Set(fleet.map(({ endpointId }) => endpointId)), 'reading');
  let changes = 0;
  return {
    name: 'this service',
    what: "publishes the outbox of changes that were made while the broker was away: each endpoint's events one after the other, and clears the outbox when they are acknowledged",
    own: true,
    // What it takes to make the changes would be counted, too: see the notes.
    processes: () => ({}),
    async measure({ isWarmUp }: Run) {
      const count = isWarmUp ? Math.ceil(messages / 4) : messages;
      const { firstSeq, lastSeq, sample } = await measureGrowth(broker, EVENTS_STREAM, {
        prepare: () => change(service.url, lines, count),
        processes: () => ({ server: service.pid, NATS: broker.pid }),
        publish: async () => undefined,
        knowsEnd: false,
        finish: () => service.settle(),
      });
      changes += count;
      done({ stream: EVENTS_STREAM, firstSeq, lastSeq });
      return sample;
    },
    async verify() {
      await service.killAndRestart();
      await service.settle();
      const events = await broker.countEvents(`${EVENTS}endpoint.metadata.updated`);
      if (events !== changes) throw new Error(`${changes} changes were answered, ${events} events of them`);
      return `${events.toLocaleString('en-US')} acknowledged changes have their events in JetStream, each once, after SIGKILL`;
    },
  };
}

async function createBare(
  way: PublishWay,
  name: string,
  broker: Broker,
  { teardown }: Surroundings,
  published: () => MessageRange,
): Promise<Contestant> {
  const stream = `BENCH_${way.toUpperCase()}`;
  // as long as that of the service
  const to = `kaa.v1.events.${way.slice(0, 3).padEnd(3, 's')}.`;
  await broker.jsm.streams.add({ name: stream, subjects: [`${to}>`], duplicate_window: nanos(120_000) });
  const publisher = await startChild('./clients/bare-publisher.js', {
    url: broker.url,
    way,
    from: EVENTS,
    to,
    maxInFlight,
  });
  teardown(() => publisher.kill());
  let total = 0;
  return {
    name,
    what:
      way === 'js'
        ? 'publishes the messages of the last run of the service once more, from memory, by `js.publish` of the client library'
        : 'publishes the same by `publish` with a reply subject, one subscription for all acknowledgements',
    own: false,
    processes: () => ({}),
    async measure() {
      const count = await publisher.ask<number>('load', published());
      const { sample } = await measureGrowth(broker, stream, {
        prepare: async () => undefined,
        processes: () => ({ publisher: publisher.pid, NATS: broker.pid }),
        publish: () => publisher.ask('publish'),
        knowsEnd: true,
        finish: async () => undefined,
      });
      total += count;
      return sample;
    },
    async verify() {
      const { state } = await broker.jsm.streams.info(stream);
      if (state.messages !== total) throw new Error(`${total} were published, ${state.messages} are there`);
      return `${total.toLocaleString('en-US')} messages are in its stream, nothing pending`;
    },
  };
}

interface Publication {
  /** while the broker is away */
  prepare: () => Promise<void>;
  processes: () => Processes;
  /** Begins when the broker is there. */
  publish: () => Promise<unknown>;
  /** whether `publish` resolves when all is in the stream; else the stream is watched until it stands still */
  knowsEnd: boolean;
  /** Resolves when all is published. */
  finish: () => Promise<unknown>;
}

/**
 * Each on a broker that was just started. The rate is that at which the stream grows, from the first message that is seen
 * there to the last: how long it takes until somebody is connected again is no part of it.
 */
async function measureGrowth(
  broker: Broker,
  stream: string,
  { prepare, processes, publish, knowsEnd, finish }: Publication,
): Promise<Growth> {
  const lastSeqNow = async () => (await broker.jsm.streams.info(stream)).state.last_seq;
  const before = await lastSeqNow();
  await broker.stop();
  await prepare();
  await broker.restart();
  const working = processes();
  const used = readProcessorTime(working);
  let isEnded = false;
  const publishing = publish().then(() => (isEnded = true));
  // a failure is told below
  publishing.catch(() => (isEnded = true));
  const first = { atMs: 0, seq: before };
  const last = { atMs: 0, seq: before };
  for (let isOver = false; !isOver;) {
    const isAll = isEnded;
    const seq = await lastSeqNow();
    const atMs = performance.now();
    if (seq > last.seq) Object.assign(last, { atMs, seq });
    if (first.seq === before) Object.assign(first, last);
    isOver = isAll && (knowsEnd || (last.seq > before && atMs - last.atMs >= QUIET_MS));
    if (!isOver) await sleep(POLL_MS);
  }
  await publishing;
  const usedAfter = readProcessorTime(working);
  await finish();
  if ((await lastSeqNow()) !== last.seq)
    throw new Error(`${stream} stood still for ${QUIET_MS} ms and grew again: what was measured is a part`);
  const events = last.seq - before;
  // all within one look: faster than can be told
  const isOneLook = first.seq === last.seq;
  const seconds = (isOneLook ? POLL_MS : last.atMs - first.atMs) / 1000;
  const micros = processorTimeEach(used, usedAfter, events);
  return {
    firstSeq: before + 1,
    lastSeq: last.seq,
    sample: {
      ratePerSecond: (last.seq - (isOneLook ? before : first.seq)) / seconds,
      operations: events,
      seconds,
      notes: {
        events,
        ...(isOneLook ? { 'seen whole at the first look': 1 } : {}),
        ...Object.fromEntries(Object.entries(micros).map(([name, each]) => [`µs of ${name} an event`, each])),
      },
    },
  };
}

/** Each line another temperature: one `metadata.updated`, and what it flips. */
async function change(url: string, lines: MetadataLines, count: number): Promise<void> {
  for (let made = 0; made < count; made += LINES_AT_ONCE) {
    const some = Array.from({ length: Math.min(LINES_AT_ONCE, count - made) }, () => lines.next().text);
    const response = await fetch(`${url}/api/v1/endpoints/metadata/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: some.join(''),
    });
    const results = (await response.text()).trimEnd().split('\n');
    const changed = results.filter((result) => result.includes('"status":200')).length;
    if (changed !== some.length)
      throw new Error(`${some.length} changes were asked for, ${changed} were made: ${results[0]}`);
  }
}
