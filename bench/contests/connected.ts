import { AckPolicy, nanos, type ConsumerInfo } from 'nats';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeConnectivity } from '../../src/avro/index.js';
import { startChild } from '../children.js';
import type { Contest, Contestant, Run, Sample, Surroundings } from '../contest.js';
import { type Station, VERSIONS, walkOf } from '../fleet.js';
import { startBroker, type Broker } from '../servers/outside.js';
import { startService } from '../servers/service.js';

interface Source {
  stream: string;
  subject: string;
  durable: string;
}

const OF_SERVICE: Source = {
  stream: 'BENCH_CONNECTIVITY',
  subject: 'kaa.v1.events.kpc.endpoint.connectivity.connected',
  durable: 'epr-connectivity',
};
const OF_LOOP: Source = { stream: 'BENCH_LOOP', subject: 'bench.connected', durable: 'bench-loop' };
/** As the service's consumer has it. */
const MAX_UNACKNOWLEDGED = 4096;
const PUBLISH_AT_ONCE = 1000;
const POLL_MS = 5;

interface Kind {
  id: string;
  /** completes the title */
  title: string;
  /** in one event */
  endpoints: number;
  /** whether each report has another version than the one before */
  changes: boolean;
  /** one of so many of the messages that are asked for */
  oneOf: number;
}

const AIM = '50% of the bare loop';

export const connectedContests: readonly Contest[] = [
  contestOf({
    id: 'connected',
    title: 'each with one endpoint whose version changes',
    endpoints: 1,
    changes: true,
    oneOf: 1,
  }),
  contestOf({
    id: 'connected-same',
    title: 'each with one endpoint whose version is what it was',
    endpoints: 1,
    changes: false,
    oneOf: 1,
  }),
  contestOf({
    id: 'connected-many',
    title: 'each with 200 endpoints whose versions change',
    endpoints: 200,
    changes: true,
    oneOf: 100,
  }),
  contestOf({
    id: 'connected-many-same',
    title: 'each with 200 endpoints whose versions are what they were',
    endpoints: 200,
    changes: false,
    oneOf: 20,
  }),
];

function contestOf(kind: Kind): Contest {
  const { id, title } = kind;
  return {
    id,
    title: `Connected events from JetStream, ${title}`,
    unit: 'events/s',
    aim: AIM,
    open: (surroundings) => open(kind, surroundings),
  };
}

async function open(kind: Kind, surroundings: Surroundings): Promise<Contestant[] | undefined> {
  const { fleet, messages, folder, teardown } = surroundings;
  const broker = await startBroker(surroundings);
  if (broker === undefined) return undefined;
  for (const { stream, subject } of [OF_SERVICE, OF_LOOP])
    await broker.jsm.streams.add({ name: stream, subjects: [subject] });
  await addConsumer(broker, OF_LOOP);
  const loop = await startChild('./clients/consume-loop.js', {
    url: broker.url,
    stream: OF_LOOP.stream,
    durable: OF_LOOP.durable,
    maxMessages: MAX_UNACKNOWLEDGED / 2,
  });
  teardown(() => loop.kill());
  const service = await startService(
    { storageUrl: `file:${folder}/service/data`, natsUrl: broker.url, name: kind.id },
    surroundings,
  );
  const publish = createPublisher(broker, fleet, kind, Math.ceil(messages / kind.oneOf));
  const own = publish(OF_SERVICE);
  const bareSource = publish(OF_LOOP);
  const bare: Contestant = {
    name: 'bare consume and acknowledge',
    what: 'the same client library and consumer settings: takes a message, acknowledges it, stores nothing',
    own: false,
    processes: () => ({ loop: loop.pid, NATS: broker.pid }),
    measure: (run) => bareSource.measure(run),
    verify: async () => 'stores nothing; its consumer has nothing pending',
  };
  const updates = 'kaa.v1.events.epr.endpoint.lifecycle.appversion-updated';
  const contestant: Contestant = {
    name: 'this service',
    what: kind.changes
      ? 'decodes, computes, stores the versions with their events, publishes them, acknowledges when durable'
      : 'decodes, looks at the record in the store, finds nothing to change, acknowledges',
    own: true,
    processes: () => ({ server: service.pid, NATS: broker.pid }),
    async measure(run) {
      const sample = await own.measure(run);
      const { ratePerSecond } = sample;
      return {
        ...sample,
        notes: {
          ...(kind.endpoints === 1 ? {} : { 'endpoints/s': Math.round(ratePerSecond * kind.endpoints) }),
          'ms until the last event was out': Math.round(await service.settle()),
        },
      };
    },
    async verify() {
      await service.killAndRestart();
      const stored = await service.readAll();
      for (const [endpointId, version] of own.versions()) {
        const found = stored.get(endpointId)?.version;
        if (found !== version)
          throw new Error(`${endpointId} was reported with ${version}, and ${found} is stored`);
      }
      const events = await broker.countEvents(updates);
      if (events !== own.changes())
        throw new Error(`${own.changes()} changes of a version, ${events} events of them`);
      return `${own.versions().size.toLocaleString('en-US')} endpoints have the version reported last after SIGKILL; ${events.toLocaleString('en-US')} appversion-updated are in JetStream, one for each change`;
    },
  };
  return [bare, contestant];
}

async function addConsumer({ jsm }: Broker, { stream, subject, durable }: Source): Promise<void> {
  await jsm.consumers.add(stream, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(30_000),
    max_ack_pending: MAX_UNACKNOWLEDGED,
  });
}

/** Fills a stream while its consumer is paused, and measures from its resumption until all is acknowledged. */
function createPublisher(
  broker: Broker,
  fleet: readonly Station[],
  { endpoints: each, changes }: Kind,
  messages: number,
) {
  const { js, jsm } = broker;
  const walk = walkOf(fleet.length);
  return ({ stream, subject, durable }: Source) => {
    const versions = new Map<string, string>();
    let reported = 0;
    let published = 0;

    function nextReport(): [endpointId: string, version: string] {
      const { endpointId } = fleet[walk[reported++ % walk.length]!]!;
      const before = versions.get(endpointId) ?? VERSIONS[0];
      const version = changes ? (before === VERSIONS[1] ? VERSIONS[0] : VERSIONS[1]) : before;
      versions.set(endpointId, version);
      return [endpointId, version];
    }

    async function publishAll(count: number): Promise<void> {
      for (let start = 0; start < count; start += PUBLISH_AT_ONCE) {
        const some = Array.from({ length: Math.min(PUBLISH_AT_ONCE, count - start) }, () => {
          const event = {
            correlationId: `bench-${++published}`,
            timestamp: Date.now(),
            timeout: 0,
            endpoints: Object.fromEntries(Array.from({ length: each }, nextReport)),
            originatorReplicaId: 'bench',
          };
          return js.publish(subject, encodeConnectivity(event), { timeout: 30_000 });
        });
        await Promise.all(some);
      }
    }

    async function untilDone(isDone: (info: ConsumerInfo) => boolean): Promise<void> {
      while (!isDone(await jsm.consumers.info(stream, durable))) await sleep(POLL_MS);
    }

    return {
      versions: () => versions,
      changes: () => (changes ? reported : 0),
      async measure({ isWarmUp }: Run): Promise<Sample> {
        const count = isWarmUp ? Math.ceil(messages / 4) : messages;
        await jsm.consumers.pause(stream, durable, new Date(Date.now() + 3_600_000));
        await jsm.streams.purge(stream);
        await publishAll(count - 1);
        const startMs = performance.now();
        await jsm.consumers.resume(stream, durable);
        // The server hands out nothing after a resumption until something happens, such as one more message.
        await publishAll(1);
        await untilDone((info) => info.num_pending === 0 && info.num_ack_pending === 0);
        const took = (performance.now() - startMs) / 1000;
        return { ratePerSecond: count / took, operations: count, seconds: took };
      },
    };
  };
}
