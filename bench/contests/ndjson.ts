import { mkdir } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { guardOf } from '../../src/model/record.js';
import type { JsonObject } from '../../src/model/json.js';
import { type Child, startChild } from '../children.js';
import type { StreamRun, StreamRunResult } from '../clients/ndjson-client.js';
import type { LineKind } from '../clients/observation-lines.js';
import type { Contest, Contestant, Sample, Surroundings } from '../contest.js';
import { openFleetDb } from '../servers/fleet-store.js';
import { type Broker, startBroker } from '../servers/outside.js';
import { startService } from '../servers/service.js';

/** Whole observations, as a weather service has them. */
export const ndjsonObservations = createNdjsonContest(
  'ndjson',
  'Metadata updates as streamed NDJSON: the weather observations, over and over with other values',
  'observation',
);

/** The usual update of a sensor: one key. */
export const ndjsonReadings = createNdjsonContest(
  'readings',
  'Metadata updates as streamed NDJSON: one temperature a line',
  'reading',
);

function createNdjsonContest(id: string, title: string, kind: LineKind): Contest {
  return {
    id,
    title,
    unit: 'updates/s',
    aim: '50,000 updates/s without a broker',
    async open(surroundings) {
      const { fleet, teardown } = surroundings;
      const broker = await startBroker(surroundings);
      if (broker === undefined) return undefined;
      const client = await startChild('./clients/ndjson-client.js', { endpoints: fleet.length, kind });
      teardown(() => client.kill());
      return [
        await createRawStore(surroundings),
        await createStreamContestant(client, surroundings, undefined),
        await createStreamContestant(client, surroundings, broker),
      ];
    },
  };
}

async function createStreamContestant(
  client: Child,
  surroundings: Surroundings,
  broker: Broker | undefined,
): Promise<Contestant> {
  const name = broker === undefined ? 'this service, no broker' : 'this service';
  const profile = broker === undefined ? 'ndjson-alone' : 'ndjson';
  const service = await startService(
    {
      storageUrl: `file:${surroundings.folder}/${profile}-data`,
      name: profile,
      ...(broker === undefined ? {} : { natsUrl: broker.url }),
    },
    surroundings,
  );
  let lines = 0;
  return {
    name,
    what: `parses each line, all checks, 24 filters, Avro events${broker === undefined ? '' : ' in the same commit and on to JetStream'}; one result line each, when durable`,
    own: true,
    processes: () => ({
      server: service.pid,
      ...(broker === undefined ? {} : { NATS: broker.pid }),
      client: client.pid,
    }),
    async measure({ seconds }) {
      const run: StreamRun = { contestant: name, url: service.url, seconds };
      const result = await client.ask<StreamRunResult>('run', run);
      lines += result.lines;
      return {
        ...sampleOf(result),
        notes: {
          'keys set/s': Math.round(result.keysSet / result.seconds),
          'keys changed/s': Math.round(result.keysChanged / result.seconds),
          ...(broker === undefined
            ? {}
            : { 'ms until the last event was out': Math.round(await service.settle()) }),
        },
      };
    },
    async verify() {
      await service.killAndRestart();
      const expected = await client.ask<Map<string, JsonObject>>('expectedMetadata', name);
      const stored = await service.readAll();
      for (const [endpointId, metadata] of expected)
        if (!isDeepStrictEqual(stored.get(endpointId)?.metadata, metadata))
          throw new Error(`${endpointId} has other metadata than it was given`);
      const kept = `metadata of ${expected.size.toLocaleString('en-US')} endpoints is that of ${lines.toLocaleString('en-US')} acknowledged lines after SIGKILL`;
      if (broker === undefined) return kept;
      const events = await broker.countEvents('kaa.v1.events.epr.endpoint.metadata.updated');
      if (events !== lines) throw new Error(`${lines} updates, and ${events} events of them`);
      return `${kept}; each has its event in JetStream`;
    },
  };
}

async function createRawStore({ folder, fleet, teardown }: Surroundings): Promise<Contestant> {
  const data = `${folder}/raw-store`;
  await mkdir(data);
  const store = await startChild('./servers/raw-store.js', { folder: data, endpoints: fleet.length });
  teardown(() => store.kill());
  return {
    name: 'raw store',
    what: 'the records made beforehand, put into LMDB 1,000 to a transaction with fsync; no HTTP, no client',
    own: false,
    processes: () => ({ store: store.pid }),
    measure: async ({ seconds }) =>
      sampleOf(await store.ask<{ lines: number; seconds: number }>('run', seconds)),
    async verify() {
      const revisions = await store.ask<Map<string, number>>('revisions');
      await store.kill();
      const db = openFleetDb(data);
      for (const [endpointId, revision] of revisions)
        if (guardOf(db.get(endpointId)!).revision !== revision)
          throw new Error(`revision ${revision} of ${endpointId} was flushed, and is not there`);
      await db.close();
      return `the last record of ${revisions.size.toLocaleString('en-US')} endpoints is there after SIGKILL`;
    },
  };
}

function sampleOf({ lines, seconds }: { lines: number; seconds: number }): Sample {
  return { ratePerSecond: lines / seconds, operations: lines, seconds };
}
