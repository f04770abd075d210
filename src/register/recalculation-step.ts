import { guardOf, headOf } from '../model/record.js';
import type { Store } from '../storage/index.js';
import type { FilterSetSource, WorkerPool } from '../workers/index.js';
import { pause } from './pace.js';
import type { Pipeline } from './pipeline.js';
import type { Step } from './recalculation-pass.js';
import type { Watch } from './recalculation-watch.js';

export interface StepDeps {
  store: Store;
  pipeline: Pipeline;
  pool: WorkerPool;
  filters: FilterSetSource;
  watch: Watch;
  now: () => number;
  stopping: AbortSignal;
}

/** What is to be done. */
export interface StepWork {
  application: string;
  /** records that were evaluated with this version, or a newer one, are up to date */
  target: number;
  /** where it begins; undefined: at the beginning */
  after: string | undefined;
  correlationId: string;
}

/** Records in one message to a worker. */
const PAGE = 256;
const RETRY_MS = 500;

/**
 * Evaluates the records of one step. Rejects when the storage does; then the step may be made again. Undefined: it was told
 * to stop, and not all of them are evaluated.
 *
 * @param size records, at most
 */
export async function makeStep(
  work: StepWork,
  size: number,
  deps: StepDeps,
): Promise<(Step & { written: number }) | undefined> {
  const underWay: Promise<void>[] = [];
  let after = work.after;
  let evaluated = 0;
  let oldest = Infinity;
  let written = 0;
  try {
    for (let left = size; left > 0;) {
      const page = await deps.watch.during(
        'reads of the storage',
        deps.store.scanStale(work.application, work.target, Math.min(left, PAGE), after),
      );
      deps.watch.gotOn();
      for (const record of page.records) oldest = Math.min(oldest, guardOf(record).filterSet);
      if (page.records.length > 0)
        underWay.push(
          evaluateAll(work, page.records, deps).then((count) => {
            written += count;
          }),
        );
      evaluated += page.passed;
      left -= page.records.length;
      after = page.next;
      if (after === undefined) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (deps.stopping.aborted) return undefined;
  return {
    evaluated,
    oldest,
    written,
    ...(after === undefined ? {} : { after }),
  };
}

/**
 * Answers how many were given to the pipeline. Where nobody else writes, a record that matches none of the filters is left as it is: whatever changes it later knows
 * them. Elsewhere each record is written, so that who does not know them yet meets a conflict.
 */
async function evaluateAll(
  { application, correlationId }: StepWork,
  records: readonly Uint8Array[],
  deps: StepDeps,
): Promise<number> {
  const { store, pipeline, pool, filters, watch } = deps;
  const wanted = !store.soleWriter
    ? records
    : await watch
        .during(
          'worker threads',
          pipeline.amongBatches(() => pool.screen(records, application, filters)),
        )
        .then(
          (places) => places.map((place) => records[place]!),
          // a thread died of it, or with it: the pipeline finds out of which
          () => records,
        );
  watch.gotOn();
  await watch.during(
    'writes to the storage',
    Promise.all(wanted.map((record) => evaluate(headOf(record).endpointId, correlationId, deps))),
  );
  return wanted.length;
}

/** Until it succeeds: a filter that was not evaluated against one record can't be active. */
async function evaluate(endpointId: string, correlationId: string, deps: StepDeps): Promise<void> {
  while (!deps.stopping.aborted) {
    const timestampMs = deps.now();
    const outcome = await deps.pipeline.submit({ type: 'evaluate', endpointId, correlationId, timestampMs });
    if (outcome.kind !== 'retry') return deps.watch.gotOn();
    await pause(RETRY_MS, deps.stopping);
  }
}
