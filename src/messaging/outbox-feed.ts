import type { OutboxEntry, Store } from '../storage/index.js';
import { createOutboxReader } from './outbox-reader.js';
import type { SourceQueues } from './source-queues.js';
import type { SparingLog } from './sparing-log.js';

/** Brings outbox entries into memory: as they are committed, or, when there were too many, from the store. */
export interface OutboxFeed {
  /** the store is looked through first, for what was left */
  start(): void;
  committed(entries: readonly OutboxEntry[]): void;
  /** The store may hold entries that `committed` was not and will not be told of: look it through. */
  doubt(): void;
  /** there may be room now */
  drained(): void;
  /** entries that are known to be in the store only; a lower bound after a start */
  missed(): number;
  /** put aside in memory during a pass */
  aside(): { entries: number; bytes: number };
  stop(): Promise<void>;
}

export interface OutboxFeedDeps {
  store: Pick<Store, 'readOutbox'>;
  queues: SourceQueues;
  sparing: SparingLog;
  limits: { maxEntries: number; maxBytes: number; sweepMs: number };
  /** Entries in the queues that wait for others, which may be in the store only: they are not counted. */
  kept: () => number;
  /** Whether entries of a source are to be taken from the store, where others publish, too; absent: all. */
  owns?: (source: string) => boolean;
  /** something was taken */
  onTaken: () => void;
}

const PAGE = 1_000;

/**
 * Either `live`: what is committed is taken at once; or a **pass** is under way: the store is read from its oldest entry
 * to its end, as there is room, while what is committed meanwhile is put aside. At the end of a pass, what was put aside
 * follows, and all is live again: every entry committed before the pass was read, every later one put aside, and entries
 * that are both are known by their order. If too much came to be put aside, it is dropped (the store has it) and the next
 * pass begins. So nothing is skipped, and no source's entries are taken out of order.
 */
export function createOutboxFeed({
  store,
  queues,
  sparing,
  limits,
  kept,
  owns = () => true,
  onTaken,
}: OutboxFeedDeps): OutboxFeed {
  const stopping = new AbortController();
  const page = Math.max(1, Math.min(PAGE, Math.floor(limits.maxEntries / 2)));
  const pageBytes = Math.max(1, Math.floor(limits.maxBytes / 2));
  let live = false;
  /** put aside during a pass, by position; undefined: nothing is put aside (yet, or any more) */
  let aside: Map<string, OutboxEntry> | undefined;
  let asideBytes = 0;
  let missed = 0;
  let doubted = false;
  let passing = false;
  let ended: Promise<void> = Promise.resolve();
  let wake: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;

  const full = (share: number) =>
    queues.entries() - kept() > limits.maxEntries * share || queues.bytes() > limits.maxBytes * share;
  const keyOf = ({ position }: OutboxEntry) => `${position.order}/${position.source}`;

  const room = async () => {
    while (full(0.5) && !stopping.signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
  };

  const reading = createOutboxReader(sparing, stopping.signal);
  const read = (after: OutboxEntry | undefined): Promise<OutboxEntry[]> =>
    reading(() => store.readOutbox(page, after?.position, pageBytes));

  /** From the oldest entry to the end. */
  const pass = async () => {
    let last: OutboxEntry | undefined;
    do {
      await room();
      if (last === undefined) {
        aside = new Map();
        asideBytes = 0;
        doubted = false;
      }
      queues.hold();
      const entries = await read(last);
      let bytes = 0;
      for (const entry of entries) {
        bytes += entry.events.length;
        if (!owns(entry.position.source)) continue;
        queues.take(entry);
        const key = keyOf(entry);
        const twice = aside?.get(key);
        if (twice === undefined) continue;
        aside!.delete(key);
        asideBytes -= twice.events.length;
      }
      queues.release();
      if (entries.length > 0) onTaken();
      last = entries.length < page && bytes < pageBytes ? undefined : entries.at(-1);
    } while (last !== undefined && !stopping.signal.aborted);
  };

  const passUntilLive = async () => {
    live = false;
    while (!stopping.signal.aborted) {
      await pass();
      if (aside === undefined || doubted) {
        aside = undefined;
        continue;
      }
      for (const entry of aside.values()) queues.take(entry);
      aside = undefined;
      missed = 0;
      live = true;
      break;
    }
    passing = false; // at once with `live`: the very next entry may be one too many again
    onTaken();
  };

  const startPasses = () => {
    if (passing || stopping.signal.aborted) return;
    passing = true;
    ended = passUntilLive();
  };

  const putAside = (entry: OutboxEntry) => {
    if (queues.knows(entry.position)) return;
    if (aside !== undefined) {
      aside.set(keyOf(entry), entry);
      asideBytes += entry.events.length;
      if (aside.size * 2 <= limits.maxEntries && asideBytes * 2 <= limits.maxBytes) return;
      missed += aside.size;
      aside = undefined;
      return;
    }
    missed++;
  };

  return {
    start() {
      startPasses();
      timer = setInterval(startPasses, limits.sweepMs);
      timer.unref();
    },
    committed(entries) {
      let taken = false;
      for (const entry of entries) {
        if (live && full(1)) live = false;
        if (live) taken = queues.take(entry) || taken;
        else putAside(entry);
      }
      if (!live) startPasses();
      if (taken) onTaken();
    },
    doubt() {
      doubted = true;
      startPasses();
    },
    drained() {
      if (wake === undefined || full(0.5)) return;
      wake();
      wake = undefined;
    },
    missed: () => missed,
    aside: () => ({ entries: aside?.size ?? 0, bytes: aside === undefined ? 0 : asideBytes }),
    async stop() {
      clearInterval(timer);
      stopping.abort();
      wake?.();
      await ended;
    },
  };
}
