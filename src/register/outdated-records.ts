import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Replicas } from '../replicas/index.js';
import type { Store } from '../storage/index.js';
import type { FilterIndex } from './filter-index.js';
import type { Pipeline } from './pipeline.js';

/**
 * Finds records that were not evaluated with all active filters, and has them evaluated. There are none, but for what a
 * process wrote that was stopped in the middle of a write for so long that others had taken it for dead.
 */
export interface OutdatedRecords {
  start(): void;
  stop(): Promise<void>;
}

export interface OutdatedRecordsDeps {
  store: Pick<Store, 'replication'>;
  replicas: Replicas;
  pipeline: Pick<Pipeline, 'submit'>;
  index: FilterIndex;
  versions: ReadonlyMap<string, number>;
  now: () => number;
  log: Logger;
}

const LEASE = 'outdated-records';
const LOOK_EVERY_MS = 5_000;
const AT_ONCE = 100;

export function createOutdatedRecords(deps: OutdatedRecordsDeps): OutdatedRecords {
  const { replicas, pipeline, index, log } = deps;
  const { replication } = deps.store;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    if (replication === undefined || !(await replicas.takeLease(LEASE))) return;
    for (const application of deps.versions.keys()) {
      const newest = index.newestActive(application, (index.oldestPending(application) ?? Infinity) - 1);
      if (newest === undefined || stopped) continue;
      const found = await replication.findOutdated(application, newest, AT_ONCE);
      if (found.length === 0) continue;
      log.warn(
        { application, endpoints: found.length, first: found[0] },
        'endpoints were written by a replica that did not know all active filters; they are evaluated',
      );
      await Promise.all(found.map(evaluate));
    }
  }

  function evaluate(endpointId: string): Promise<unknown> {
    return pipeline.submit({
      type: 'evaluate',
      endpointId,
      correlationId: randomUUID(),
      timestampMs: deps.now(),
    });
  }

  return {
    start() {
      if (replication === undefined) return;
      timer = setInterval(() => {
        looking ??= look()
          .catch((error: unknown) => {
            if (!stopped)
              log.warn({ err: error }, 'outdated endpoints could not be looked for; trying again');
          })
          .finally(() => (looking = undefined));
      }, LOOK_EVERY_MS);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await looking;
      await replicas.releaseLease(LEASE).catch(() => undefined);
    },
  };
}
