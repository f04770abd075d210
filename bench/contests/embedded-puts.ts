import { mkdir } from 'node:fs/promises';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { startChild, type Child } from '../children.js';
import type { Changes } from '../clients/put-client.js';
import type { Contest, Contestant, Surroundings } from '../contest.js';
import { residentMegabytes, type Processes } from '../processor-time.js';
import { KEY } from '../fleet.js';
import { readFleetStore } from '../servers/fleet-store.js';
import { startBroker, type Broker } from '../servers/outside.js';
import { startService, type Service } from '../servers/service.js';
import { createPutContestant } from './put-contestant.js';

export const embeddedPuts: Contest = {
  id: 'puts',
  title: 'Single durable PUTs of one metadata key, embedded store',
  unit: 'requests/s',
  aim: '60% of the bare handler, then level with the Fastify handler',
  async open(surroundings) {
    const broker = await startBroker(surroundings);
    if (broker === undefined) return undefined;
    const client = await startPutClient(surroundings);
    const service = await startService(
      { storageUrl: `file:${surroundings.folder}/service/data`, natsUrl: broker.url, name: 'puts' },
      surroundings,
    );
    return [
      await createBaseline(client, surroundings, {
        name: 'bare uWebSockets.js',
        module: './servers/bare-lmdb.js',
        what: 'takes the body, puts the record into LMDB in hand-made batches, answers after fsync',
      }),
      await createBaseline(client, surroundings, {
        name: 'Fastify that only writes',
        module: './servers/fastify-lmdb.js',
        what: 'parses the body, one lmdb put a request, answers after fsync',
      }),
      createServiceContestant(client, service, broker, surroundings),
    ];
  },
};

/** The one client of a contest. */
export async function startPutClient({ fleet, teardown }: Surroundings): Promise<Child> {
  const client = await startChild('./clients/put-client.js', { endpoints: fleet.length });
  teardown(() => client.kill());
  return client;
}

async function createBaseline(
  client: Child,
  { folder, fleet, connections, teardown }: Surroundings,
  { name, module, what }: { name: string; module: string; what: string },
): Promise<Contestant> {
  const data = `${folder}/${module.replace(/\W+/g, '-')}`;
  await mkdir(data);
  const server = await startChild<{ port: number }>(module, { folder: data, endpoints: fleet.length });
  teardown(() => server.kill());
  return createPutContestant(client, {
    name,
    what,
    own: false,
    url: () => `http://127.0.0.1:${server.ready.port}`,
    processes: () => ({ server: server.pid }),
    connections,
    fleet,
    async readBack() {
      await server.kill();
      return valuesOf(await readFleetStore(data));
    },
  });
}

/** What is otherwise than usual. */
interface ServiceTraits extends Partial<Pick<Contestant, 'name' | 'what' | 'own'>> {
  /** further processes that work for it */
  processes?: () => Processes;
  /** filter events that its stream has before the first write; they are not counted */
  filterEventsBefore?: number;
  /** see WAVE_STEPS */
  waveStep?: number;
}

export const FILTER_EVENTS = 'kaa.v1.events.epr.endpoint-filter.*.*';

/** The service with events, which are waited for after each run. */
export function createServiceContestant(
  client: Child,
  service: Service,
  broker: Broker | undefined,
  { connections, fleet }: Surroundings,
  { name, what, own, processes, filterEventsBefore = 0, waveStep }: ServiceTraits = {},
): Contestant {
  return createPutContestant(client, {
    name: name ?? 'this service',
    what:
      what ??
      'all checks, revision guard, 24 filters, Avro events in the same commit and on to JetStream; answers when durable',
    own: own ?? true,
    url: () => service.url,
    processes: () => ({
      server: service.pid,
      ...(broker === undefined ? {} : { NATS: broker.pid }),
      ...processes?.(),
    }),
    connections,
    fleet,
    ...(waveStep === undefined ? {} : { waveStep }),
    settle: async () => ({
      ...(broker === undefined
        ? {}
        : { 'ms until the last event was out': Math.round(await service.settle()) }),
      ...residentMegabytes(service.pid),
    }),
    async readBack() {
      await service.settle();
      await service.killAndRestart();
      const all = await service.readAll();
      return valuesOf(new Map([...all].map(([id, { metadata }]) => [id, metadata])));
    },
    ...(broker === undefined
      ? {}
      : { check: (changes: Changes) => checkEvents(broker, changes, filterEventsBefore) }),
  });
}

/** JetStream must have the event of every acknowledged write. */
async function checkEvents(
  broker: Broker,
  { total, sent }: Changes,
  filterEventsBefore: number,
): Promise<string> {
  const events = await broker.countEvents('kaa.v1.events.epr.endpoint.metadata.updated');
  const most = sent.reduce((sum, count) => sum + count, 0);
  if (events < total || events > most)
    throw new Error(
      `${total} writes were acknowledged, ${most} sent, and the stream has ${events} events of them`,
    );
  const flips = (await broker.countEvents(FILTER_EVENTS)) - filterEventsBefore;
  return `${events.toLocaleString('en-US')} metadata events and ${flips.toLocaleString('en-US')} filter events are in JetStream`;
}

function valuesOf(all: Map<string, JsonObject>): Map<string, JsonValue | undefined> {
  return new Map([...all].map(([id, metadata]) => [id, metadata[KEY]]));
}
