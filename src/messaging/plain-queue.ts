/** Messages that nobody keeps, until there is room for them: so many, and what is too much is dropped. */
export interface PlainQueue<T> {
  /** False: it was dropped. */
  push(message: T): boolean;
  stop(): void;
}

export interface PlainQueueDeps<T> {
  hasRoom: () => boolean;
  take: (message: T) => void;
  bytesOf: (message: T) => number;
  maxMessages: number;
  maxBytes: number;
}

const LOOK_AGAIN_MS = 20;

export function createPlainQueue<T>(deps: PlainQueueDeps<T>): PlainQueue<T> {
  const { hasRoom, take, bytesOf, maxMessages, maxBytes } = deps;
  let waiting: T[] = [];
  let next = 0;
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const drain = () => {
    timer = undefined;
    while (next < waiting.length && hasRoom()) {
      const message = waiting[next++]!;
      bytes -= bytesOf(message);
      take(message);
    }
    if (next < waiting.length) timer = setTimeout(drain, LOOK_AGAIN_MS);
    waiting = waiting.slice(next);
    next = 0;
  };

  return {
    push(message) {
      if (waiting.length === 0 && hasRoom()) take(message);
      else if (waiting.length >= maxMessages || bytes + bytesOf(message) > maxBytes) return false;
      else {
        waiting.push(message);
        bytes += bytesOf(message);
        timer ??= setTimeout(drain, LOOK_AGAIN_MS);
      }
      return true;
    },
    stop() {
      clearTimeout(timer);
      waiting = [];
    },
  };
}
