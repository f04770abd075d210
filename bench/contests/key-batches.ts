import { requestCodecs } from '../../src/avro/index.js';
import { startChild } from '../children.js';
import type { Contest, Contestant, Run, Sample } from '../contest.js';
import { KEY, type Station, temperatureText, walkOf } from '../fleet.js';
import { type Broker, startBroker } from '../servers/outside.js';
import { startService } from '../servers/service.js';
import { percentile } from '../statistics.js';
import { checkChanges } from './put-contestant.js';

const OF_SERVICE = 'kaa.v1.service.epr.epmmp.ep-metadata-key-batch-update-request';
const OF_RESPONDER = 'bench.key-batches';
const COMMANDS = 1000;
const BATCHES_AT_ONCE = 4;
const codec = requestCodecs.epmmp['ep-metadata-key-batch-update-request'];

export const keyBatches: Contest = {
  id: 'batches',
  title: `EPMMP key-batch-update over NATS: ${COMMANDS} commands a request, ${BATCHES_AT_ONCE} requests at a time`,
  unit: 'commands/s',
  async open(surroundings) {
    const { fleet, folder, teardown } = surroundings;
    const broker = await startBroker(surroundings);
    if (broker === undefined) return undefined;
    const responder = await startChild('./clients/bare-responder.js', {
      url: broker.url,
      subject: OF_RESPONDER,
    });
    teardown(() => responder.kill());
    const service = await startService(
      { storageUrl: `file:${folder}/batches-data`, natsUrl: broker.url, name: 'batches' },
      surroundings,
    );
    const bareSender = createSender(broker, fleet, OF_RESPONDER);
    const own = createSender(broker, fleet, OF_SERVICE);
    const bare: Contestant = {
      name: 'bare responder',
      what: 'the same client library and codec: reads a batch, answers, stores nothing',
      own: false,
      processes: () => ({ responder: responder.pid, NATS: broker.pid }),
      measure: (run) => bareSender.measure(run),
      verify: async () => 'stores nothing; each batch was answered 200, nothing pending',
    };
    const contestant: Contestant = {
      name: 'this service',
      what: 'reads, computes, matches 24 filters, stores each change with its events, answers when durable',
      own: true,
      processes: () => ({ server: service.pid, NATS: broker.pid }),
      async measure(run) {
        const sample = await own.measure(run);
        const notes = { 'ms until the last event was out': Math.round(await service.settle()) };
        return { ...sample, notes };
      },
      async verify() {
        await service.killAndRestart();
        const stored = await service.readAll();
        const values = new Map([...stored].map(([id, { metadata }]) => [id, metadata[KEY]]));
        // all are answered at the end of a run, so that what was sent last is what is stored
        const changes = { sent: own.sent, acknowledged: own.sent };
        const written = checkChanges('this service', fleet, changes, values);
        return `${own.commands().toLocaleString('en-US')} acknowledged commands on ${written.toLocaleString('en-US')} endpoints: the last of each is stored after SIGKILL`;
      },
    };
    return [bare, contestant];
  },
};

/** Sends batches that walk the fleet, each command another value; those on one endpoint in the order of their numbers. */
function createSender({ connection }: Broker, fleet: readonly Station[], subject: string) {
  const reporting = fleet.flatMap(({ metadata }, i) => (typeof metadata[KEY] === 'number' ? [i] : []));
  const walk = walkOf(reporting.length).map((place) => reporting[place]!);
  const sent = new Uint32Array(fleet.length);
  let at = 0;

  function nextBatch(): Buffer {
    const commands = Array.from({ length: COMMANDS }, () => {
      const endpoint = walk[at++ % walk.length]!;
      const { endpointId, metadata } = fleet[endpoint]!;
      const value = temperatureText(Number(metadata[KEY]), endpoint, ++sent[endpoint]!);
      return { endpointId, metadataKey: KEY, metadataValue: Buffer.from(value) };
    });
    return codec.request.encode({
      correlationId: `bench-${at}`,
      timestamp: Date.now(),
      timeout: 0,
      commands,
    });
  }

  return {
    sent,
    commands: () => at,
    async measure({ seconds }: Run): Promise<Sample> {
      const startMs = performance.now();
      const tookMs: number[] = [];
      const sender = async () => {
        while (performance.now() - startMs < seconds * 1000) {
          const batch = nextBatch();
          const sentMs = performance.now();
          const { data } = await connection.request(subject, batch, { timeout: 60_000 });
          const { statusCode, reasonPhrase } = codec.response.decode(data);
          if (statusCode !== 200) throw new Error(`a batch was answered ${statusCode}: ${reasonPhrase}`);
          tookMs.push(performance.now() - sentMs);
        }
      };
      await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, sender));
      const took = (performance.now() - startMs) / 1000;
      const times = Float64Array.from(tookMs).sort();
      const operations = tookMs.length * COMMANDS;
      return {
        ratePerSecond: operations / took,
        p50Ms: percentile(times, 0.5),
        p99Ms: percentile(times, 0.99),
        operations,
        seconds: took,
      };
    },
  };
}
