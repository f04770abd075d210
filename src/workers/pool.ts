import { Piscina } from 'piscina';
import { decodeEvaluated, encodeGroups } from './batch-frames.js';
import { createInPlace } from './in-place.js';
import type {
  EvaluatedGroup,
  EvaluateGroup,
  FilterSetSource,
  FilterSetsUpdate,
  WorkerRequest,
  WorkerResponse,
  WorkerSettings,
} from './messages.js';

/** The worker threads, and how a batch gets through them. */
export interface WorkerPool {
  /**
   * Computes a batch: each group in its place. Rejects when the thread that had it threw or died; then nothing was
   * written, and the batch may be given again.
   */
  evaluate(
    groups: readonly EvaluateGroup[],
    filters: FilterSetSource,
    settings: WorkerSettings,
  ): Promise<EvaluatedGroup[]>;
  readonly threads: number;
  /** batches that wait for a thread */
  readonly waiting: number;
  close(): Promise<void>;
}

/**
 * A thread that dies is replaced; what it had rejects. One register a pool: threads know filter sets by epoch only.
 *
 * `inPlace: false`: small batches go to the threads, too.
 */
export function createWorkerPool(threads: number, options: { inPlace?: boolean } = {}): WorkerPool {
  const inPlace = options.inPlace === false ? undefined : createInPlace();
  const piscina = new Piscina<WorkerRequest, WorkerResponse>({
    filename: new URL('./worker.js', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    recordTiming: false,
  });
  // of a thread that died with nothing to do: Piscina has replaced it, and nobody waits; unheard, it would end the process
  piscina.on('error', () => undefined);

  const evaluate: WorkerPool['evaluate'] = async (groups, filters, settings) => {
    const computed = inPlace?.evaluate(groups, filters, settings);
    if (computed !== undefined) return computed;
    const { epoch } = filters;
    let update: FilterSetsUpdate | undefined;
    for (;;) {
      const bytes = encodeGroups(groups);
      const request: WorkerRequest = { kind: 'evaluate', epoch, groups: bytes, ...settings };
      if (update !== undefined) request.update = update;
      const response = await piscina.run(request, { transferList: [bytes.buffer] });
      if (response.kind === 'evaluated') return decodeEvaluated(response.groups);
      update = filters.updateSince(response.epoch);
    }
  };

  return {
    evaluate,
    threads,
    get waiting() {
      return piscina.queueSize;
    },
    close: () => piscina.close(),
  };
}
