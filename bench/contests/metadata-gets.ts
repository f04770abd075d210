import { isDeepStrictEqual } from 'node:util';
import { type Child, startChild } from '../children.js';
import type { RequestRun, RequestRunResult } from '../clients/requests.js';
import type { Contest, Contestant, Surroundings } from '../contest.js';
import { startService } from '../servers/service.js';

const MOST_CHECKED = 1000;

/** Reads of one endpoint's metadata: what the way through the service costs beside an answer that stands in memory. */
export const metadataGets: Contest = {
  id: 'gets',
  title: 'GET of the metadata of one endpoint, embedded store',
  unit: 'requests/s',
  aim: '70% of the bare handler',
  async open(surroundings) {
    const { fleet, folder, teardown } = surroundings;
    const client = await startChild('./clients/get-client.js', { endpoints: fleet.length });
    teardown(() => client.kill());
    const service = await startService(
      { storageUrl: `file:${folder}/service/data`, name: 'gets' },
      surroundings,
    );
    const baseline = async (module: string) => {
      const server = await startChild<{ port: number }>(module, { endpoints: fleet.length });
      teardown(() => server.kill());
      return { url: () => `http://127.0.0.1:${server.ready.port}`, pid: () => server.pid };
    };
    return [
      createReader(client, surroundings, {
        name: 'bare uWebSockets.js',
        what: 'answers bytes and an ETag that stand in a map in memory',
        own: false,
        ...(await baseline('./servers/bare-get.js')),
      }),
      createReader(client, surroundings, {
        name: 'Fastify from memory',
        what: 'the same, by Fastify',
        own: false,
        ...(await baseline('./servers/fastify-get.js')),
      }),
      createReader(client, surroundings, {
        name: 'this service',
        what: 'routing, parameters, conditions, metrics, the record from LMDB, the ETag of its revision',
        own: true,
        url: () => service.url,
        pid: () => service.pid,
      }),
    ];
  },
};

interface ReadTarget {
  name: string;
  what: string;
  own: boolean;
  url: () => string;
  pid: () => number;
}

function createReader(
  client: Child,
  { connections, fleet }: Surroundings,
  { name, what, own, url, pid }: ReadTarget,
): Contestant {
  return {
    name,
    what,
    own,
    processes: () => ({ server: pid(), client: client.pid }),
    async measure({ seconds }) {
      const run: RequestRun = { contestant: name, url: url(), connections, seconds };
      const result = await client.ask<RequestRunResult>('run', run);
      if (result.failures > 0) throw new Error(`${name}: ${result.failures} requests failed`);
      const { acknowledged: operations, p50Ms, p99Ms } = result;
      return {
        ratePerSecond: operations / result.seconds,
        operations,
        seconds: result.seconds,
        p50Ms,
        p99Ms,
      };
    },
    async verify() {
      const step = Math.ceil(fleet.length / MOST_CHECKED);
      let checked = 0;
      for (let i = 0; i < fleet.length; i += step, checked++) {
        const { endpointId, metadata } = fleet[i]!;
        const response = await fetch(`${url()}/api/v1/endpoints/${endpointId}/metadata`);
        if (!isDeepStrictEqual(await response.json(), metadata) || !response.headers.get('etag'))
          throw new Error(`${name} answers something else for ${endpointId} than was stored`);
      }
      return `every answer was 200; ${checked.toLocaleString('en-US')} are what was stored, with an ETag`;
    },
  };
}
