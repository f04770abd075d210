import type { Logger } from 'pino';

/** What a recalculation may wait for, and what can be done when that takes long. */
const REMEDIES = {
  'reads of the storage': "Look at the storage: a slow or failing disk, or a database that can't be reached.",
  'writes to the storage':
    'Look at the storage: a slow or failing disk, or a database that is overloaded or refuses writes.',
  'worker threads':
    'They are busy with other writes, or with filters that are much work: give the service more processors, or simplify those.',
  'other replicas':
    'Each has to say that it knows the filters; one that died is waited for until its time is up, some seconds.',
  'its turn':
    'Recalculations of other applications go on one step at a time, too. If they do not either, their lines say why.',
} as const;

export type Wait = keyof typeof REMEDIES;

/** How long nothing may come of a recalculation before it is told of, and how often it is told again. */
const STALLED_MS = 10_000;
const TELL_EVERY_MS = 60_000;

/** What one recalculation waits for, and since when nothing has come of it. */
export interface Watch {
  /** Something was done: records were read, screened or written. */
  gotOn(): void;
  /** Until the work ends, the recalculation waits for this. */
  during<T>(wait: Wait, work: Promise<T>): Promise<T>;
  /** milliseconds since it got on */
  readonly idleMs: number;
  /** Tells the log when there is something to tell. To be called about every second. */
  look(): void;
}

export function createWatch(application: string, log: Logger, nowMs = () => performance.now()): Watch {
  const waits = new Map<Wait, number>();
  let sinceMs = nowMs();
  let toldMs: number | undefined;

  const idleMs = () => nowMs() - sinceMs;

  return {
    gotOn() {
      if (toldMs !== undefined)
        log.info({ application, seconds: secondsOf(idleMs()) }, 'the recalculation goes on');
      sinceMs = nowMs();
      toldMs = undefined;
    },
    async during(wait, work) {
      waits.set(wait, (waits.get(wait) ?? 0) + 1);
      try {
        return await work;
      } finally {
        const left = waits.get(wait)! - 1;
        if (left > 0) waits.set(wait, left);
        else waits.delete(wait);
      }
    },
    get idleMs() {
      return idleMs();
    },
    look() {
      if (idleMs() < STALLED_MS || (toldMs !== undefined && nowMs() - toldMs < TELL_EVERY_MS)) return;
      toldMs = nowMs();
      const waitsFor = waits.size > 0 ? [...waits.keys()] : (['its turn'] as const);
      log.warn(
        {
          application,
          seconds: secondsOf(idleMs()),
          waitsFor: Object.fromEntries(waits),
          remedy: waitsFor.map((wait) => REMEDIES[wait]).join(' '),
        },
        `the recalculation of filters does not get on: it waits for ${waitsFor.join(' and ')}`,
      );
    },
  };
}

function secondsOf(ms: number): number {
  return Math.round(ms / 1000);
}
