import { AckPolicy, nanos, type ConsumerInfo } from 'nats';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeConnectivity } from '../../src/avro/index.js';
import { startChild } from '../children.js';
import type { Contest, Contestant, Run, Sample } from '../contest.js';
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

export const connectedEvents: Contest = {
  id: 'connected',
  title: 'Connected events from JetStream, each with one endpoint whose version changes',
  unit: 'events/s',
  async open(surroundings) {
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
      { storageUrl: `file:${folder}/service/data`, natsUrl: broker.url, name: 'connected' },
      surroundings,
    );
    const publish = createPublisher(broker, fleet, messages);
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
      what: 'decodes, computes, stores the version with its event, publishes it, acknowledges when durable',
      own: true,
      processes: () => ({ server: service.pid, NATS: broker.pid }),
      async measure(run) {
        const sample = await own.measure(run);
        return {
          ...sample,
          notes: { 'ms until the last event was out': Math.round(await service.settle()) },
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
        if (events !== own.published())
          throw new Error(`${own.published()} changes of a version, ${events} events of them`);
        return `${own.versions().size.toLocaleString('en-US')} endpoints have the version reported last after SIGKILL; ${events.toLocaleString('en-US')} appversion-updated are in JetStream, one for each message`;
      },
    };
    return [bare, contestant];
  },
};

async function addConsumer({ jsm }: Broker, { stream, subject, durable }: Source): Promise<void> {
  await jsm.consumers.add(stream, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(30_000),
    max_ack_pending: MAX_UNACKNOWLEDGED,
  });
}

/**
 * Fills a stream while its consumer is paused, and measures from its resumption until all is acknowledged. Each message
 * changes the version of its endpoint.
 */
function createPublisher(broker: Broker, fleet: readonly Station[], messages: number) {
  const { js, jsm } = broker;
  const walk = walkOf(fleet.length);
  return ({ stream, subject, durable }: Source) => {
    const versions = new Map<string, string>();
    let published = 0;

    async function publishAll(count: number): Promise<void> {
      for (let start = 0; start < count; start += PUBLISH_AT_ONCE) {
        const some = Array.from({ length: Math.min(PUBLISH_AT_ONCE, count - start) }, () => {
          const { endpointId } = fleet[walk[published++ % walk.length]!]!;
          const version = versions.get(endpointId) === VERSIONS[1] ? VERSIONS[0] : VERSIONS[1];
          versions.set(endpointId, version);
          const event = {
            correlationId: `bench-${published}`,
            timestamp: Date.now(),
            timeout: 0,
            endpoints: { [endpointId]: version },
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
      published: () => published,
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
