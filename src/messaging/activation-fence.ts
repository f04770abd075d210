import { each } from '../model/each.js';
import { decodeEvents } from '../model/event.js';
import type { OutboxEntry, OutboxPosition, Store } from '../storage/index.js';
import { pause } from './connection.js';
import { createOutboxReader } from './outbox-reader.js';
import type { SparingLog } from './sparing-log.js';

/**
 * Keeps the `activated` of a changed query behind what was told of the queries before. Every replica goes by the new query
 * before a filter with it is activated; so what the outbox holds of its matches from then on is either of the former query,
 * and committed already, or of the new one. The fence walks over the outbox once and waits for each entry that it meets
 * with matches of the filter until the storage has it no more: then it is published for certain, whichever replica did it,
 * and no crash brings it back. What is committed later is not waited for.
 */
export interface ActivationFence {
  /** Of an entry of a filter. Calls back when what the outbox holds of its matches now is gone from it; not after `stop`. */
  keepBehind(position: OutboxPosition, passed: () => void): void;
  /** filters that are kept */
  kept(): number;
  stop(): void;
}

export interface ActivationFenceDeps {
  store: Pick<Store, 'readStoredOutbox'>;
  sparing: SparingLog;
}

const PAGE = 1_000;
const PAGE_BYTES = 8 * 1024 * 1024;
/** Entries that are asked for at once. */
const AT_ONCE = 32;
const LOOK_FIRST_MS = 10;
const LOOK_MOST_MS = 500;

export function createActivationFence({ store, sparing }: ActivationFenceDeps): ActivationFence {
  const stopping = new AbortController();
  /** kept since after the present walk began; by filter */
  let waiting = new Map<string, () => void>();
  /** that the present walk is for */
  let walkedFor: ReadonlyMap<string, () => void> = new Map();
  let isWalking = false;

  const reading = createOutboxReader(sparing, stopping.signal);
  const read = (limit: number, after: OutboxPosition | undefined): Promise<OutboxEntry[]> =>
    reading(() => store.readStoredOutbox(limit, after, PAGE_BYTES));

  const untilGone = async ({ source, order }: OutboxPosition): Promise<void> => {
    for (
      let delayMs = LOOK_FIRST_MS;
      !stopping.signal.aborted;
      delayMs = Math.min(LOOK_MOST_MS, delayMs * 2)
    ) {
      const [next] = await read(1, { source, order: order - 1 });
      if (next?.position.source !== source || next.position.order !== order) return;
      await pause(delayMs, stopping.signal);
    }
  };

  const tells = ({ events }: OutboxEntry): boolean => {
    try {
      return decodeEvents(events).events.some(
        ({ kind, filterId }) =>
          (kind === 'ep-matched' || kind === 'ep-unmatched') && walkedFor.has(filterId!),
      );
    } catch {
      return false; // whoever publishes it gives it up
    }
  };

  /** A page at a time, so that sources that are written on and on don't keep it for ever. */
  const walk = async (): Promise<void> => {
    let last: OutboxPosition | undefined;
    do {
      const page = await read(PAGE, last);
      await each(page.filter(tells), AT_ONCE, ({ position }) => untilGone(position));
      const bytes = page.reduce((sum, { events }) => sum + events.length, 0);
      last = page.length < PAGE && bytes < PAGE_BYTES ? undefined : page.at(-1)!.position;
    } while (last !== undefined && !stopping.signal.aborted);
  };

  const walkOnAndOn = async (): Promise<void> => {
    isWalking = true;
    while (waiting.size > 0 && !stopping.signal.aborted) {
      const passing = waiting;
      walkedFor = passing;
      waiting = new Map();
      await walk();
      walkedFor = new Map();
      if (!stopping.signal.aborted) for (const passed of passing.values()) passed();
    }
    isWalking = false;
  };

  return {
    keepBehind({ source: filterId }, passed) {
      waiting.set(filterId, passed);
      if (!isWalking) void walkOnAndOn();
    },
    kept: () => waiting.size + walkedFor.size,
    stop: () => stopping.abort(),
  };
}
