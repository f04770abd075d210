import type { ServedLimits } from '../options.js';

/** Work that is done in the order in which it came, so much of it at a time, while some more waits. */
export interface Lane<T> {
  /** Begins it, now or when it is its turn. False: too much waits, and nothing happens. */
  offer(item: T, bytes: number): boolean;
  /** weight of what is under way */
  underWay(): number;
  waiting(): number;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
}

/** @param begin of an item whose turn it is; undefined: nothing is to be done. `done` must not reject. */
export function createLane<T>(
  { maxUnderWay, maxUnderWayBytes, maxWaiting, maxWaitingBytes }: ServedLimits,
  begin: (item: T) => { weight: number; done: Promise<void> } | undefined,
): Lane<T> {
  let queue: { item: T; bytes: number }[] = [];
  let head = 0;
  let queuedBytes = 0;
  let underWay = 0;
  let underWayBytes = 0;
  const idlers: (() => void)[] = [];

  const hasRoom = (bytes: number) =>
    underWay < maxUnderWay && (underWay === 0 || underWayBytes + bytes <= maxUnderWayBytes);

  const start = (item: T, bytes: number) => {
    const begun = begin(item);
    if (begun === undefined) return;
    underWay += begun.weight;
    underWayBytes += bytes;
    void begun.done.then(() => {
      underWay -= begun.weight;
      underWayBytes -= bytes;
      advance();
    });
  };

  const advance = () => {
    while (head < queue.length && hasRoom(queue[head]!.bytes)) {
      const { item, bytes } = queue[head++]!;
      queuedBytes -= bytes;
      start(item, bytes);
    }
    if (head === queue.length || head > maxWaiting) {
      queue = queue.slice(head);
      head = 0;
    }
    if (queue.length > 0 || underWay > 0) return;
    for (const resolve of idlers.splice(0)) resolve();
  };

  return {
    offer(item, bytes) {
      if (head === queue.length && hasRoom(bytes)) {
        start(item, bytes);
        return true;
      }
      if (queue.length - head >= maxWaiting || queuedBytes + bytes > maxWaitingBytes) return false;
      queue.push({ item, bytes });
      queuedBytes += bytes;
      return true;
    },
    underWay: () => underWay,
    waiting: () => queue.length - head,
    idle() {
      if (queue.length === head && underWay === 0) return Promise.resolve();
      return new Promise((resolve) => idlers.push(resolve));
    },
  };
}
