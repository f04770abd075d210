import { writeFile } from 'node:fs/promises';
import { runImport } from '../../src/cli/import/index.js';
import { type Child, startChild } from '../children.js';
import type { Contest, Contestant, Surroundings } from '../contest.js';
import { VERSIONS } from '../fleet.js';
import { startService } from '../servers/service.js';

const ENDPOINTS = 10_000;
const OF_WARM_UP = 2_000;
/** as `epr import` has it */
const CONCURRENCY = 4;
const DELAY_MS = 1;

type StandIn = Child<{ url: string }>;

/** `epr import` of new endpoints, each with what a weather station reports. */
export const tokenImports: Contest = {
  id: 'tokens',
  title: `epr import of ${ENDPOINTS.toLocaleString('en-US')} endpoints, in batches of 1,000: tokens of its own, and of credential management`,
  unit: 'registrations/s',
  async open(surroundings) {
    const standIn: StandIn = await startChild('./servers/credential-stand-in.js', { delayMs: DELAY_MS });
    surroundings.teardown(() => standIn.kill());
    return [
      await createImporter('tokens of its own', undefined, surroundings),
      await createImporter('this service', standIn, surroundings),
    ];
  },
};

async function createImporter(
  name: string,
  standIn: StandIn | undefined,
  surroundings: Surroundings,
): Promise<Contestant> {
  const { fleet, folder } = surroundings;
  const profile = standIn === undefined ? 'tokens-own' : 'tokens-asked';
  const service = await startService(
    {
      storageUrl: `file:${folder}/${profile}-data`,
      name: profile,
      ...(standIn === undefined
        ? {}
        : { settings: { 'kaa.epr.credential-management.base-url': standIn.ready.url } }),
    },
    surroundings,
  );
  let imported = 0;

  /** New endpoints with the metadata of the fleet. */
  function nextFile(count: number): string {
    const from = imported;
    imported += count;
    return Array.from({ length: count }, (_, i) => {
      const { metadata } = fleet[i % fleet.length]!;
      return `${JSON.stringify({ appVersion: { name: VERSIONS[1] }, endpointId: `new-${from + i}`, metadata })}\n`;
    }).join('');
  }

  return {
    name,
    what:
      standIn === undefined
        ? 'the same service without credential management'
        : `asks a stand-in that answers after ${DELAY_MS} ms for each token; rounds of 500, stored before they are used`,
    own: standIn !== undefined,
    processes: () => ({
      server: service.pid,
      ...(standIn === undefined ? {} : { 'stand-in': standIn.pid }),
      import: process.pid,
    }),
    async measure({ isWarmUp }) {
      const count = isWarmUp ? OF_WARM_UP : ENDPOINTS;
      const file = `${folder}/${profile}.ndjson`;
      await writeFile(file, nextFile(count));
      const { counts, tookMs } = await runImport(
        {
          file,
          url: new URL(service.url),
          concurrency: CONCURRENCY,
          retryForMs: 0,
          restart: false,
          failuresFile: `${file}.failures`,
        },
        { onStart: () => undefined, onNotice: (text) => surroundings.tell(`  import: ${text}`) },
        new AbortController().signal,
      );
      if (counts.registered !== count)
        throw new Error(`${counts.registered} of ${count} endpoints were registered`);
      return { ratePerSecond: (count / tookMs) * 1000, operations: count, seconds: tookMs / 1000 };
    },
    async verify() {
      await service.killAndRestart();
      const stored = await service.readAll();
      for (let i = 0; i < imported; i++)
        if (!stored.has(`new-${i}`)) throw new Error(`new-${i} was registered and is not there`);
      const kept = `${imported.toLocaleString('en-US')} imported endpoints are there after SIGKILL`;
      if (standIn === undefined) return kept;
      const issued = await standIn.ask<number>('issued');
      const wanted = imported + fleet.length;
      if (issued !== wanted) throw new Error(`${issued} tokens were issued for ${wanted} endpoints`);
      return `${kept}; one token was issued for each`;
    },
  };
}
