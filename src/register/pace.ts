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
/** What a step may take beyond a least one: with the service to itself, and when others wait. */
const IDLE_STEP_MS = 40;
const BUSY_STEP_MS = 8;
/**
 * The same, as a share of what a least one takes: that is mostly waiting then, for a slow disk or for those others, and
 * hardly depends on the size of a step. Steps that shrank because of it would do next to nothing for each flush.
 */
const IDLE_PATIENCE = 2;
const BUSY_PATIENCE = 0.1;
const LEAST_SIZE = 32;
const MOST_SIZE = 2048;
/** Every so many steps one is as small as can be, and tells what a step takes whatever its size. */
const MEASURE_EVERY = 16;
/** of those, the last; the middle one counts, so that one that was held up does not */
const MEASURED = 3;
/** What is seen of others is seen in rests, so there is always one. */
const SHORTEST_REST_MS = 1;
const LONGEST_REST_MS = 100;
/** of this thread's time in a rest: beyond it, others are served */
const BUSY_UTILIZATION = 0.25;
/** Below it, steps are short: one busy rest may be the machine's doing, and the next one tells. */
const SHORT_STEPS_BELOW = 0.5;

/** How time passes. */
export interface PaceClock {
  nowMs(): number;
  /** Resolves after a time, or when it is aborted, with the share of it that this thread was at work: 0 to 1. */
  rest(ms: number, stopped: AbortSignal): Promise<number>;
}

const realClock: PaceClock = {
  nowMs: () => performance.now(),
  async rest(ms, stopped) {
    const before = performance.eventLoopUtilization();
    await pause(ms, stopped);
    return performance.eventLoopUtilization(before).utilization;
  },
};

/**
 * @param load commands of others that wait or are under way
 * @param stopped ends rests; there are none from then on
 */
export function createPace(load: () => number, stopped: AbortSignal, clock: PaceClock = realClock): Pace {
  let share = 1;
  /** of the next step, unless that one is to be a least one */
  let size = LEAST_SIZE;
  let sinceMeasured = 0;
  const leastMs: number[] = [];
  let last: Promise<unknown> = Promise.resolve();

  async function run<T>(work: (size: number) => Promise<T>): Promise<T> {
    const isLeast = size === LEAST_SIZE || ++sinceMeasured >= MEASURE_EVERY;
    const startMs = clock.nowMs();
    const result = await work(isLeast ? LEAST_SIZE : size);
    const tookMs = clock.nowMs() - startMs;
    if (isLeast) measure(tookMs);
    if (!isLeast || size === LEAST_SIZE) size = sizeAfter(tookMs);
    await rest(tookMs);
    return result;
  }

  function measure(tookMs: number): void {
    sinceMeasured = 0;
    leastMs.push(tookMs);
    if (leastMs.length > MEASURED) leastMs.shift();
  }

  /**
   * Twice as much at most, since a step that had little to do says nothing of a large one, and half as much at least: one
   * that was held up says little, too.
   */
  function sizeAfter(tookMs: number): number {
    const waitMs = leastMs.toSorted((a, b) => a - b)[leastMs.length >> 1]!;
    const aimMs =
      share < SHORT_STEPS_BELOW
        ? Math.max(BUSY_STEP_MS, waitMs * BUSY_PATIENCE)
        : Math.max(IDLE_STEP_MS, waitMs * IDLE_PATIENCE);
    const extraMs = Math.max(0, tookMs - waitMs);
    // the next one tells whether it was the size
    if (extraMs > 2 * aimMs) sinceMeasured = MEASURE_EVERY;
    const extra = Math.max(LEAST_SIZE, size - LEAST_SIZE) * (aimMs / extraMs);
    const wanted = Math.min(MOST_SIZE, 2 * size, Math.max(size / 2, LEAST_SIZE + extra));
    return Math.round(Math.max(LEAST_SIZE, wanted));
  }

  async function rest(tookMs: number): Promise<void> {
    if (stopped.aborted) return;
    const loadBefore = load();
    const wantedMs = Math.min(LONGEST_REST_MS, tookMs * (1 / share - 1));
    const utilization = await clock.rest(Math.max(SHORTEST_REST_MS, wantedMs), stopped);
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
