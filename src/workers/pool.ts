import type { Logger } from 'pino';
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
import { encodeRecords } from './screen-records.js';
import { createThreads, type ThreadKind, type ThreadsStatus } from './threads.js';

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
  /**
   * Places of the records that match a filter that they were not evaluated against; see {@link ScreenRequest}. Always in a
   * thread. Rejects as `evaluate` does.
   */
  screen(
    records: readonly Uint8Array[],
    application: string,
    filters: FilterSetSource,
  ): Promise<readonly number[]>;
  readonly threads: number;
  status(): ThreadsStatus;
  /** batches that wait for a thread */
  readonly waiting: number;
  close(): Promise<void>;
}

export interface WorkerPoolOptions {
  /** false: small batches go to the threads, too */
  inPlace?: boolean;
  /** for tests that make threads die; `worker.js`, without limits, unless given */
  thread?: ThreadKind;
  log?: Logger;
}

/**
 * A thread that dies is replaced; what it had rejects. For some seconds then nothing is computed in the calling thread:
 * what killed that one may be in the next batch. One register a pool: threads know filter sets by epoch only.
 */
export function createWorkerPool(count: number, options: WorkerPoolOptions = {}): WorkerPool {
  const inPlace = options.inPlace === false ? undefined : createInPlace();
  const kind = options.thread ?? { file: new URL('./worker.js', import.meta.url) };
  const threads = createThreads({ threads: count, ...kind, log: options.log });

  const evaluate: WorkerPool['evaluate'] = async (groups, filters, settings) => {
    const computed = threads.isCalm() ? inPlace?.evaluate(groups, filters, settings) : undefined;
    if (computed !== undefined) return computed;
    const response = await ask(filters, (epoch) => {
      const bytes = encodeGroups(groups);
      return [{ kind: 'evaluate', epoch, groups: bytes, ...settings }, bytes.buffer];
    });
    if (response.kind !== 'evaluated') throw new Error(`A worker answered "${response.kind}".`);
    return decodeEvaluated(response.groups);
  };

  const screen: WorkerPool['screen'] = async (records, application, filters) => {
    const response = await ask(filters, (epoch) => {
      const bytes = encodeRecords(records);
      return [{ kind: 'screen', epoch, application, records: bytes }, bytes.buffer];
    });
    if (response.kind !== 'screened') throw new Error(`A worker answered "${response.kind}".`);
    return response.places;
  };

  /** Asks a thread; one that is behind with the filter sets once more, with what it lacks. */
  async function ask(
    filters: FilterSetSource,
    requestFor: (epoch: number) => [WorkerRequest, ArrayBuffer],
  ): Promise<WorkerResponse> {
    let update: FilterSetsUpdate | undefined;
    for (;;) {
      const { epoch } = filters;
      const [request, buffer] = requestFor(epoch);
      if (update !== undefined) request.update = update;
      const response = await threads.run(request, buffer);
      if (response.kind === 'failed')
        throw Object.assign(new Error(response.message), { stack: response.stack });
      if (response.kind !== 'behind') return response;
      update = filters.updateSince(response.epoch);
    }
  }

  return {
    evaluate,
    screen,
    threads: count,
    status: () => threads.status(),
    get waiting() {
      return threads.waiting;
    },
    close: () => threads.close(),
  };
}
