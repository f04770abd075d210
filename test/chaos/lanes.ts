import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../filters/fuzz/random.js';
import type { Result } from './ledger.js';

/** Makes one write and answers what came of it. */
export type Step = () => Promise<Result>;

export interface Pace {
  random: Random;
  /** longest pause between two writes of a lane */
  mostMs: number;
  onAcknowledged: () => void;
  stopping: AbortSignal;
}

const AFTER_FAILURE_MS = 100;

/** One write after the other until it is told to stop; rejects when a step does. */
export async function runLane(step: Step, { random, mostMs, onAcknowledged, stopping }: Pace): Promise<void> {
  while (!stopping.aborted) {
    const result = await step();
    if (result === 'acknowledged') onAcknowledged();
    await sleep(result === 'acknowledged' ? random.below(mostMs) : AFTER_FAILURE_MS);
  }
}
