import type { OutboxPosition, Store } from '../storage/index.js';
import type { SparingLog } from './sparing-log.js';

/** Lets the store forget what was published: many at a time, a little later. */
export interface OutboxClearer {
  add(position: OutboxPosition): void;
  /** positions that the store does not know as published yet */
  waiting(): number;
  /** Clears what is there; gives up at the first failure. The next start publishes that again, with the same ids. */
  stop(): Promise<void>;
}

export interface OutboxClearerDeps {
  store: Pick<Store, 'clearOutbox'>;
  sparing: SparingLog;
  onCleared: (position: OutboxPosition) => void;
}

const BATCH = 512;
const LATER_MS = 50;
const RETRY_MS = 1_000;

export function createOutboxClearer({ store, sparing, onCleared }: OutboxClearerDeps): OutboxClearer {
  let waiting: OutboxPosition[] = [];
  let underWay = 0;
  let clearing: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const clear = async (): Promise<boolean> => {
    const positions = waiting;
    waiting = [];
    underWay = positions.length;
    try {
      await store.clearOutbox(positions);
    } catch (error) {
      waiting = positions.concat(waiting);
      sparing.tell(
        'outbox not cleared',
        { error: (error as Error).message, entries: waiting.length },
        'Published events can not be cleared from the outbox; trying again.',
      );
      return false;
    } finally {
      underWay = 0;
    }
    positions.forEach(onCleared);
    return true;
  };

  const clearNow = () => {
    clearTimeout(timer);
    timer = undefined;
    clearing = clear().then((done) => {
      clearing = undefined;
      if (!done) clearIn(RETRY_MS);
      else if (waiting.length >= BATCH) clearNow();
      else if (waiting.length > 0) clearIn(LATER_MS);
      return done;
    });
  };

  const clearIn = (ms: number) => {
    if (!stopped) timer ??= setTimeout(clearNow, ms);
  };

  return {
    add(position) {
      waiting.push(position);
      if (clearing !== undefined) return;
      if (waiting.length === BATCH) clearNow();
      else clearIn(LATER_MS);
    },
    waiting: () => waiting.length + underWay,
    async stop() {
      stopped = true;
      await clearing;
      clearTimeout(timer);
      if (waiting.length > 0) await clear();
    },
  };
}
