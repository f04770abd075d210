import type { Logger } from 'pino';
import { retry, type Retry } from '../model/outcome.js';
import {
  type EvaluatedGroup,
  type FilterSetSource,
  NoThreads,
  type WorkerPool,
  type WorkerSettings,
} from '../workers/index.js';
import type { Group } from './batch.js';
import type { PipelineMetrics } from './metrics.js';

/** A batch, and the record of each of its groups in its place. */
export interface LoadedBatch {
  groups: readonly Group[];
  records: readonly (Uint8Array | undefined)[];
}

export interface BatchEvaluationDeps {
  pool: Pick<WorkerPool, 'evaluate'>;
  filters: FilterSetSource;
  /** read for each batch, so that a change is taken up at once */
  settings: () => WorkerSettings;
  metrics: Pick<PipelineMetrics, 'workerFailures'>;
  log: Logger;
}

export const NOT_COMPUTED = retry('internal', 'Something went wrong while this was computed; it is logged.');

/** Computes a batch; when a worker fails on it, each group by itself, so that one bad group takes no other with it. */
export async function evaluateBatch(
  { groups, records }: LoadedBatch,
  { pool, filters, settings: settingsOf, metrics, log }: BatchEvaluationDeps,
): Promise<(EvaluatedGroup | Retry)[]> {
  const requests = groups.map((group, i) => {
    const commands = group.pending.map((pending) => pending.command);
    const record = records[i];
    return record === undefined ? { commands } : { record, commands };
  });
  const settings = settingsOf();
  try {
    return await pool.evaluate(requests, filters, settings);
  } catch (error) {
    metrics.workerFailures.inc();
    log.error(
      { err: error, groups: groups.length },
      'a worker failed on a batch; its groups are tried one by one',
    );
  }
  const results: (EvaluatedGroup | Retry)[] = [];
  for (const request of requests) {
    try {
      results.push(...(await pool.evaluate([request], filters, settings)));
    } catch (error) {
      metrics.workerFailures.inc();
      const [command] = request.commands;
      log.error(
        { err: error, endpointId: command?.endpointId, correlationId: command?.correlationId },
        'a worker failed on the commands of one endpoint',
      );
      results.push({ ...NOT_COMPUTED, ...(error instanceof NoThreads ? {} : { failsAlone: true }) });
    }
  }
  return results;
}
