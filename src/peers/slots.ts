/** Lets so many do something at a time, while some more wait for their turn. */
export interface Slots {
  /** Resolves with what gives the slot back, or why there is none: `full` at once, `late` after the wait. Never rejects. */
  take(signal?: AbortSignal): Promise<(() => void) | 'full' | 'late' | 'cancelled'>;
  readonly waiting: number;
}

export interface SlotLimits {
  atOnce: number;
  /** absent: those who take bound it */
  maxWaiting?: number;
  /** how long one waits; absent: until it is its turn */
  waitMs?: number;
}

export function createSlots({ atOnce, maxWaiting = Infinity, waitMs }: SlotLimits): Slots {
  let taken = 0;
  /** first come, first served */
  const line = new Set<() => void>();

  const giveBack = () => {
    taken--;
    for (const go of line) return go();
  };
  /** What is given back twice is given back once. */
  const slot = () => {
    let isMine = true;
    taken++;
    return () => {
      if (isMine) giveBack();
      isMine = false;
    };
  };

  return {
    get waiting() {
      return line.size;
    },
    async take(signal) {
      if (signal?.aborted === true) return 'cancelled';
      if (taken < atOnce) return slot();
      if (line.size >= maxWaiting) return 'full';
      return new Promise((resolve) => {
        const end = (result: (() => void) | 'late' | 'cancelled') => {
          line.delete(go);
          clearTimeout(timer);
          signal?.removeEventListener('abort', cancel);
          resolve(result);
        };
        const go = () => end(slot());
        const cancel = () => end('cancelled');
        const timer = waitMs === undefined ? undefined : setTimeout(() => end('late'), waitMs);
        signal?.addEventListener('abort', cancel);
        line.add(go);
      });
    },
  };
}
