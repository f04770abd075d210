import { headOf } from '../model/record.js';
import type { Store } from '../storage/index.js';
import type { FilterSetSource, WorkerPool } from '../workers/index.js';
import { pause } from './pace.js';
import type { Pipeline } from './pipeline.js';
import type { Watch } from './recalculation-watch.js';

/** One walk over the records of an application, for the filters that were pending when it began. */
export interface Pass {
  readonly application: string;
  /** the newest of their numbers */
  readonly target: number;
  readonly correlationId: string;
  /** of the process's clock */
  readonly startedMs: number;
  /** endpoints that there were when it began, or when it was taken up again */
  readonly total: number;
  /** everything up to there was evaluated; absent: nothing */
  after?: string;
  evaluated: number;
  /** records that were given to the pipeline, since this process has it */
  submitted: number;
}

export interface PassDeps {
  store: Store;
  pipeline: Pipeline;
  pool: WorkerPool;
  filters: FilterSetSource;
  watch: Watch;
  now: () => number;
  stopping: AbortSignal;
}

export interface Step {
  /** how many were passed, those included that were up to date */
  evaluated: number;
  /** how many were not */
  stale: number;
  /** where the next one begins; absent: there are no more */
  after?: string;
}

/** Records in one message to a worker. */
const PAGE = 256;
const RETRY_MS = 500;

/**
 * Evaluates the records of one step, those behind `pass.after`. Rejects when the storage does; then the step may be made
 * again. Undefined: it was told to stop, and not all of them are evaluated.
 */
export async function makeStep(pass: Pass, size: number, deps: PassDeps): Promise<Step | undefined> {
  const underWay: Promise<void>[] = [];
  let { after } = pass;
  let passed = 0;
  let stale = 0;
  try {
    for (let left = size; left > 0;) {
      const page = await deps.watch.during(
        'reads of the storage',
        deps.store.scanStale(pass.application, pass.target, Math.min(left, PAGE), after),
      );
      deps.watch.gotOn();
      if (page.records.length > 0) underWay.push(evaluateAll(pass, page.records, deps));
      passed += page.passed;
      stale += page.records.length;
      left -= page.records.length;
      after = page.next;
      if (after === undefined) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (deps.stopping.aborted) return undefined;
  return { evaluated: passed, stale, ...(after === undefined ? {} : { after }) };
}

/**
 * Where nobody else writes, a record that matches none of the filters is left as it is: whatever changes it later knows
 * them. Elsewhere each record is written, so that who does not know them yet meets a conflict.
 */
async function evaluateAll(pass: Pass, records: readonly Uint8Array[], deps: PassDeps): Promise<void> {
  const { store, pipeline, pool, filters, watch } = deps;
  const wanted = !store.soleWriter
    ? records
    : await watch
        .during(
          'worker threads',
          pipeline.amongBatches(() => pool.screen(records, pass.application, filters)),
        )
        .then(
          (places) => places.map((place) => records[place]!),
          // a thread died of it, or with it: the pipeline finds out of which
          () => records,
        );
  watch.gotOn();
  pass.submitted += wanted.length;
  await watch.during(
    'writes to the storage',
    Promise.all(wanted.map((record) => evaluate(headOf(record).endpointId, pass.correlationId, deps))),
  );
}

/** Until it succeeds: a filter that was not evaluated against one record can't be active. */
async function evaluate(endpointId: string, correlationId: string, deps: PassDeps): Promise<void> {
  while (!deps.stopping.aborted) {
    const timestampMs = deps.now();
    const outcome = await deps.pipeline.submit({ type: 'evaluate', endpointId, correlationId, timestampMs });
    if (outcome.kind !== 'retry') return deps.watch.gotOn();
    await pause(RETRY_MS, deps.stopping);
  }
}
