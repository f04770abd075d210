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
import { encodeRecords } from './screen-records.js';

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
  /** batches that wait for a thread */
  readonly waiting: number;
  close(): Promise<void>;
}

/**
 * Piscina tries `require` before `import`. Node 20 ends the whole process when a thread that loads an ES module by
 * `require` is told to stop meanwhile ("v8::Module::IsGraphAsync must be used on an instantiated module"): a service that
 * is stopped right after it was started.
 */
const IMPORT_ONLY = process.allowedNodeEnvironmentFlags.has('--experimental-require-module')
  ? ['--no-experimental-require-module']
  : [];

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
    execArgv: [...process.execArgv, ...IMPORT_ONLY],
  });
  // of a thread that died with nothing to do: Piscina has replaced it, and nobody waits; unheard, it would end the process
  piscina.on('error', () => undefined);

  const evaluate: WorkerPool['evaluate'] = async (groups, filters, settings) => {
    const computed = inPlace?.evaluate(groups, filters, settings);
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
      const response = await piscina.run(request, { transferList: [buffer] });
      if (response.kind !== 'behind') return response;
      update = filters.updateSince(response.epoch);
    }
  }

  return {
    evaluate,
    screen,
    threads,
    get waiting() {
      return piscina.queueSize;
    },
    close: () => piscina.close(),
  };
}
