/**
 * From so many waiting commands on, a batch begins beside those that keep every thread busy. Fewer wait for one of those
 * to end, and are a larger batch then: a batch costs two thread wake-ups and a transaction, whatever its size.
 */
const WORTH_A_BATCH = 16;

/** Lets partitions begin their batches: as many at a time as there are threads, and more when it is worth it. */
export interface Turns {
  /** Resolves when a partition with this queue may begin a batch; first come, first served. */
  take(queue: readonly unknown[]): Promise<void>;
  /** A batch has ended. */
  end(): void;
  /** A queue has grown. */
  grown(queue: readonly unknown[]): void;
}

export function createTurns(threads: number): Turns {
  let batches = 0;
  const waiting = new Map<readonly unknown[], () => void>();
  /** those that begin after this turn of the event loop */
  const due = new Set<readonly unknown[]>();

  const begin = (queue: readonly unknown[]) => {
    const go = waiting.get(queue);
    waiting.delete(queue);
    batches++;
    go?.();
  };

  const beginDue = (queue: readonly unknown[]) => {
    due.delete(queue);
    if (waiting.has(queue)) begin(queue);
  };

  return {
    take(queue) {
      if ((batches < threads && waiting.size === 0) || queue.length >= WORTH_A_BATCH) {
        batches++;
        return Promise.resolve();
      }
      return new Promise((resolve) => waiting.set(queue, resolve));
    },
    end() {
      batches--;
      if (batches >= threads) return;
      for (const queue of waiting.keys()) return begin(queue);
    },
    grown(queue) {
      // not at once: it would run on the back of the request that made it grow, before that one's socket is free again
      if (queue.length < WORTH_A_BATCH || !waiting.has(queue) || due.has(queue)) return;
      due.add(queue);
      setImmediate(beginDue, queue);
    },
  };
}
