import type { ResourceLimits } from 'node:worker_threads';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import type { WorkerRequest, WorkerResponse } from './messages.js';
import { threadArguments } from './thread-arguments.js';

/** Worker threads that are there again after they died. */
export interface Threads {
  /**
   * Rejects when the thread that had it died, or, with {@link NoThreads}, when none is alive: nothing waits for threads that do not come up. What a
   * request was wrong about is an answer (`failed`).
   */
  run(request: WorkerRequest, transfer: ArrayBuffer): Promise<WorkerResponse>;
  status(): ThreadsStatus;
  /** whether no thread died over its work in the last seconds: what it died of may be given again, in another batch */
  isCalm(): boolean;
  /** requests that wait for a thread */
  readonly waiting: number;
  close(): Promise<void>;
}

/** There is nobody to compute anything: not the fault of what was given. */
export class NoThreads extends Error {}

export interface ThreadsStatus {
  threads: number;
  /** since the start */
  deaths: number;
  /** present: none is alive; why */
  down?: string;
}

export interface ThreadsOptions extends ThreadKind {
  threads: number;
  log: Logger | undefined;
}

export interface ThreadKind {
  /** the module that they run */
  file: URL;
  resourceLimits?: ResourceLimits;
}

/**
 * Piscina tries `require` before `import`. Node 20 ends the whole process when a thread that loads an ES module by
 * `require` is told to stop meanwhile ("v8::Module::IsGraphAsync must be used on an instantiated module"): a service that
 * is stopped right after it was started.
 */
const IMPORT_ONLY = process.allowedNodeEnvironmentFlags.has('--experimental-require-module')
  ? ['--no-experimental-require-module']
  : [];

const CALM_AFTER_MS = 10_000;
const AGAIN_FIRST_MS = 100;
const AGAIN_MOST_MS = 5_000;
/** No thread has it, so none does more than say which one it has. */
const NO_EPOCH = -2;

/**
 * Piscina replaces a thread that dies, but for one that dies while it starts: from then on it replaces none, and what waits
 * would wait for ever. So when its last thread is gone, the whole of it goes, what waits is refused, and another one
 * is made: at once the first time, then after pauses that double up to 5 s, until one answers.
 */
export function createThreads({ threads, file, resourceLimits, log }: ThreadsOptions): Threads {
  let deaths = 0;
  /** how often in a row they were all gone, without an answer in between */
  let failures = 0;
  let reason = '';
  let diedOverWorkMs = -Infinity;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let pool: Piscina<WorkerRequest, WorkerResponse> | undefined = makePool();

  function makePool() {
    const made = new Piscina<WorkerRequest, WorkerResponse>({
      filename: file.href,
      minThreads: threads,
      maxThreads: threads,
      recordTiming: false,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
      execArgv: [...threadArguments(process.execArgv), ...IMPORT_ONLY],
    });
    // of a thread that died with nothing to do: nobody waits; unheard, it would end the process
    made.on('error', (error: Error) => {
      reason = error.message;
      log?.error({ err: error }, 'a worker thread failed with nothing to do');
    });
    made.on('workerDestroy', () => {
      if (pool !== made || closed) return;
      deaths++;
      log?.error({ deaths }, 'a worker thread died');
      // by then Piscina has replaced it, if it is going to, and who had given it work knows
      setImmediate(() => {
        if (pool === made && !closed && made.threads.length === 0) giveUp(made);
      });
    });
    return made;
  }

  /** Whether they come up is known without waiting for work, which may not come before. */
  async function makeAgain(): Promise<void> {
    pool = makePool();
    try {
      await pool.run({ kind: 'screen', epoch: NO_EPOCH, application: '', records: new Uint8Array() });
      failures = 0;
    } catch {
      // it was given up, too
    }
  }

  function giveUp(dead: Piscina): void {
    pool = undefined;
    void dead.destroy();
    const pauseMs = failures === 0 ? 0 : Math.min(AGAIN_MOST_MS, AGAIN_FIRST_MS * 2 ** (failures - 1));
    failures++;
    log?.error({ reason, pauseMs }, 'no worker thread is alive; they are started again');
    timer = setTimeout(() => void makeAgain(), pauseMs);
    timer.unref();
  }

  const nobody = () => new NoThreads(`No worker thread is alive${reason === '' ? '' : `: ${reason}`}.`);

  return {
    async run(request, transfer) {
      const asked = pool;
      if (asked === undefined) throw nobody();
      try {
        const response = await asked.run(request, { transferList: [transfer] });
        failures = 0;
        return response;
      } catch (error) {
        if (pool !== asked) throw nobody();
        reason = (error as Error).message;
        diedOverWorkMs = performance.now();
        throw error;
      }
    },
    status: () => ({
      threads,
      deaths,
      ...(failures > 1 || pool === undefined ? { down: nobody().message } : {}),
    }),
    isCalm: () => performance.now() - diedOverWorkMs > CALM_AFTER_MS,
    get waiting() {
      return pool?.queueSize ?? 0;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await pool?.close();
    },
  };
}
