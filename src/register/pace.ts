import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Lets work in the background go on in steps, with rests in between: as good as none while nothing else is done, and up to
 * nine times as long as the step while others are served. A step mostly waits then, for the disk and for those others, so
 * a rest has an end in any case, and a step a least size: however much else is done, the work goes on.
 */
export interface Pace {
  /**
   * Runs a step when it is its turn: one at a time, first come, first served. Then it rests, and after that resolves with
   * what the step came to. Rejects as the step does, at once.
   *
   * @param work given how much to do at most
   */
  step<T>(work: (size: number) => Promise<T>): Promise<T>;
  /** share of the time that steps are to take now, 0.1 to 1 */
  readonly share: number;
}

const LEAST_SHARE = 0.1;
/** How long a step is to take: with the service to itself, and when others wait. */
const IDLE_STEP_MS = 40;
const BUSY_STEP_MS = 8;
/**
 * Up to so much may take longer while there are no others: it is a slow disk then that the step waits for, and its time
 * hardly depends on its size. Steps that shrink to their aim would do next to nothing for each flush.
 */
const PATIENT_SIZE = 1024;
const PATIENT_STEP_MS = 250;
const LEAST_SIZE = 32;
const MOST_SIZE = 2048;
/** What is seen of others is seen in rests, so there is always one. */
const SHORTEST_REST_MS = 1;
const LONGEST_REST_MS = 100;
/** of this thread's time in a rest: beyond it, others are served */
const BUSY_UTILIZATION = 0.25;
/** Below it, steps are short: one busy rest may be the machine's doing, and the next one tells. */
const SHORT_STEPS_BELOW = 0.5;

/**
 * @param load commands of others that wait or are under way
 * @param stopped ends rests; there are none from then on
 */
export function createPace(load: () => number, stopped: AbortSignal): Pace {
  let share = 1;
  let size = LEAST_SIZE;
  let last: Promise<unknown> = Promise.resolve();

  async function run<T>(work: (size: number) => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const result = await work(size);
    const tookMs = performance.now() - startMs;
    // at most twice as much as was tried: a step that had little to do says nothing of a large one
    size = Math.round(Math.min(MOST_SIZE, 2 * size, Math.max(LEAST_SIZE, sizeAfter(tookMs))));
    await rest(tookMs);
    return result;
  }

  function sizeAfter(tookMs: number): number {
    const sizeFor = (aimMs: number) => (size * aimMs) / tookMs;
    if (share < SHORT_STEPS_BELOW) return sizeFor(BUSY_STEP_MS);
    return Math.max(sizeFor(IDLE_STEP_MS), Math.min(PATIENT_SIZE, sizeFor(PATIENT_STEP_MS)));
  }

  async function rest(tookMs: number): Promise<void> {
    if (stopped.aborted) return;
    const before = performance.eventLoopUtilization();
    const loadBefore = load();
    const wantedMs = Math.min(LONGEST_REST_MS, tookMs * (1 / share - 1));
    await pause(Math.max(SHORTEST_REST_MS, wantedMs), stopped);
    const { utilization } = performance.eventLoopUtilization(before);
    const isBusy = loadBefore > 0 || load() > 0 || utilization > BUSY_UTILIZATION;
    share = isBusy ? Math.max(LEAST_SHARE, share / 2) : Math.min(1, share * 1.5);
  }

  return {
    step(work) {
      const result = last.then(() => run(work));
      last = result.catch(() => undefined);
      return result;
    },
    get share() {
      return share;
    },
  };
}

/** Resolves after a time, or when it is aborted. */
export async function pause(ms: number, stopped: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopped }).catch(() => undefined);
}
