import { mkdir } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { guardOf } from '../../src/model/record.js';
import type { JsonObject } from '../../src/model/json.js';
import { startChild } from '../children.js';
import type { StreamRunResult } from '../clients/ndjson-client.js';
import type { Contest, Contestant, Sample, Surroundings } from '../contest.js';
import { openFleetDb } from '../servers/fleet-store.js';
import { startBroker } from '../servers/outside.js';
import { startService } from '../servers/service.js';

export const ndjsonUpdates: Contest = {
  id: 'ndjson',
  title: 'Metadata updates as streamed NDJSON: the weather observations, over and over with other values',
  unit: 'updates/s',
  async open(surroundings) {
    const { fleet, folder, teardown } = surroundings;
    const broker = await startBroker(surroundings);
    if (broker === undefined) return undefined;
    const client = await startChild('./clients/ndjson-client.js', { endpoints: fleet.length });
    teardown(() => client.kill());
    const service = await startService(
      { storageUrl: `file:${folder}/service/data`, natsUrl: broker.url, name: 'ndjson' },
      surroundings,
    );
    let lines = 0;
    const own: Contestant = {
      name: 'this service',
      what: 'parses each line, all checks, 24 filters, Avro events in the same commit and on to JetStream; one result line each',
      own: true,
      processes: () => ({ server: service.pid, NATS: broker.pid, client: client.pid }),
      async measure({ seconds }) {
        const sample = sampleOf(await client.ask<StreamRunResult>('run', { url: service.url, seconds }));
        lines += sample.operations;
        return {
          ...sample,
          notes: { 'ms until the last event was out': Math.round(await service.settle()) },
        };
      },
      async verify() {
        await service.killAndRestart();
        const expected = await client.ask<Map<string, JsonObject>>('expectedMetadata');
        const stored = await service.readAll();
        for (const [endpointId, metadata] of expected)
          if (!isDeepStrictEqual(stored.get(endpointId)?.metadata, metadata))
            throw new Error(`${endpointId} has other metadata than it was given`);
        const events = await broker.countEvents('kaa.v1.events.epr.endpoint.metadata.updated');
        if (events !== lines) throw new Error(`${lines} updates, and ${events} events of them`);
        return `metadata of ${expected.size.toLocaleString('en-US')} endpoints is that of ${lines.toLocaleString('en-US')} acknowledged lines after SIGKILL; each has its event in JetStream`;
      },
    };
    return [await createRawStore(surroundings), own];
  },
};

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
    measure: async ({ seconds }) => sampleOf(await store.ask<StreamRunResult>('run', seconds)),
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

function sampleOf({ lines, seconds }: StreamRunResult): Sample {
  return { ratePerSecond: lines / seconds, operations: lines, seconds };
}
