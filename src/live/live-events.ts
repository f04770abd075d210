import { rmSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { OutboxEntry, OutboxPosition, OutboxToPublish } from '../storage/index.js';
import { type Bounds, EventLog, type HeadState } from './event-log.js';
import { type LeftLog, openLogFolder } from './log-folder.js';
import { createLiveMetrics } from './live-metrics.js';
import { OrderTracker } from './order-tracker.js';
import { type Place, placeText } from './place.js';
import { type PastEvents, readPast } from './past-events.js';
import { createReplay, type LiveItem, type Replay, type Sequence } from './replay.js';
import { type GapReason, Runs } from './runs.js';
import { findUnlogged, type OutboxToCompare } from './unlogged.js';

/** Events as they become durable, in one sequence, for whoever watches; the recent ones are kept. */
export interface LiveEvents {
  /** The place behind all that was told to listeners. */
  now(): string;
  /** The number that the group gets which is committed next. Those before it may still have to be told. */
  readonly following: number;
  /** `listener` must be quick, and must not throw. Answers how to end it. */
  subscribe(listener: (items: readonly LiveItem[]) => void): () => void;
  /** Reads on from a place. */
  replay(from: Place): Replay;
}

/** The side of the register, and of who owns it. */
export interface LiveEventLog extends LiveEvents {
  /** Right after a durable commit; one source's entries in the order of its revisions. Keeps `events` for milliseconds. */
  committed(entries: readonly OutboxEntry[]): void;
  /** The result of a commit is not known: it may have had events that nobody will tell of. */
  doubt(): void;
  /** Resolves when all that was committed up to now outlives this process, or never will. */
  logged(): Promise<void>;
  /** What was committed from a time on, Unix ms, up to now, as far as it is kept. */
  past(sinceMs: number): Promise<PastEvents>;
  /** Ends after what is under way. */
  close(): Promise<void>;
}

export interface LiveEventOptions {
  /** where recent events are kept; absent, or where the keeper does not count its outbox entries: in memory */
  folder?: string;
  store: OutboxToCompare;
  bounds: () => Bounds;
  log: Logger;
  metrics: Registry;
}

/** While nobody listens, the log may be behind by this; the outbox holds what it lacks. */
const LATER_MS = 50;
const SOON_BYTES = 256 * 1024;
const EXPIRE_MS = 10_000;

type Pending = OutboxEntry | { gap: GapReason };

/**
 * Opens the sequence of live events. With a folder it goes on where the former process ended: what that process committed
 * and did not log is taken from the outbox, and where not everything is there, a gap is told to whom it concerns. A folder
 * that can't be used is logged, and events are kept in memory.
 */
export async function openLiveEvents(options: LiveEventOptions): Promise<LiveEventLog> {
  const { store, log } = options;
  let { folder } = options;
  if (store.newestOrder === undefined) folder = undefined;
  let left: LeftLog | undefined;
  try {
    if (folder !== undefined) left = openLogFolder(folder);
  } catch (error) {
    log.error(
      { err: error },
      `recent events can't be kept in ${folder}: they are kept in memory, and a restart is a gap`,
    );
    folder = undefined;
  }
  if (left !== undefined && left.tornBytes > 0)
    log.info({ bytes: left.tornBytes }, 'the end of the log of recent events was not whole and was cut off');
  const newest = store.newestOrder?.() ?? 0;
  if (left === undefined || folder === undefined) {
    const live = createLiveEvents(options, folder, new OrderTracker({ through: newest, beyond: [] }));
    await live.settled();
    return live;
  }
  const { entries, complete } = await findUnlogged(store, left.mark);
  if (!complete)
    log.warn('recent events are not all known since the last stop: who resumes from before is told of a gap');
  const mark = complete ? left.mark : { through: newest, beyond: [] };
  const live = createLiveEvents(options, folder, new OrderTracker(mark), { ...left, complete });
  live.committed(entries);
  await live.settled();
  return live;
}

function createLiveEvents(
  { store, bounds, log, metrics }: LiveEventOptions,
  folder: string | undefined,
  tracker: OrderTracker,
  left?: LeftLog & { complete: boolean },
): LiveEventLog & { settled(): Promise<void> } {
  const runs = new Runs(left?.runs ?? []);
  let events = new EventLog(folder, bounds, left?.segments);
  let isFile = folder !== undefined;
  let next = left?.next ?? 1;
  runs.begin(next, left?.complete === false ? 'unclean-stop' : undefined);

  const listeners = new Set<(items: readonly LiveItem[]) => void>();
  let pending: Pending[] = [];
  let pendingBytes = 0;
  /** groups that were given and are not written */
  let unwritten = 0;
  /** items that were given, and those of them that are written */
  let given = 0;
  let written = 0;
  let waiting: { upTo: number; resolve: () => void }[] = [];
  let immediate: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** the work on the log that is under way; one at a time */
  let writing: Promise<void> | undefined;
  let closed = false;
  const counts = createLiveMetrics(metrics, () => ({
    bytes: events.bytes,
    groups: next - (events.oldest ?? next),
  }));

  const head = (): HeadState => ({ next, mark: tracker.mark, runs: runs.all });

  function schedule(): void {
    if (pending.length === 0 || writing !== undefined || immediate !== undefined) return;
    if (listeners.size > 0 || pendingBytes > SOON_BYTES) immediate = setImmediate(flush);
    else timer ??= setTimeout(flush, LATER_MS);
  }

  function flush(): void {
    clearImmediate(immediate);
    clearTimeout(timer);
    immediate = timer = undefined;
    if (writing !== undefined || pending.length === 0) return;
    const taken = pending;
    pending = [];
    pendingBytes = 0;
    work(() => write(taken));
  }

  function settle(count: number): void {
    written += count;
    const settled = waiting.filter(({ upTo }) => upTo <= written);
    if (settled.length === 0) return;
    waiting = waiting.filter(({ upTo }) => upTo > written);
    for (const { resolve } of settled) resolve();
  }

  function work(task: () => Promise<void>): void {
    writing = task()
      .catch((error: unknown) => {
        log.error({ err: error }, 'events could not be handed to the live stream');
        unwritten = pending.filter((each) => !('gap' in each)).length;
        settle(given - pending.length - written);
      })
      .finally(() => {
        writing = undefined;
        schedule();
      });
  }

  async function write(taken: readonly Pending[]): Promise<void> {
    for (let from = 0; from < taken.length;) {
      const one = taken[from]!;
      if ('gap' in one) {
        await beginRun(one.gap);
        settle(1);
        from++;
        continue;
      }
      const entries: OutboxEntry[] = [];
      for (let bytes = 0; from < taken.length && bytes < SOON_BYTES; from++) {
        const entry = taken[from]!;
        if ('gap' in entry) break;
        entries.push(entry);
        bytes += entry.events.length;
      }
      await writeGroups(entries);
      settle(entries.length);
    }
  }

  async function writeGroups(entries: readonly OutboxEntry[]): Promise<void> {
    const before = head();
    let isWhole = true;
    for (const { position } of entries) isWhole = tracker.add(position.order) && isWhole;
    const groups = entries.map((entry) => entry.events);
    const nowMs = Date.now();
    const frame = { kind: 'groups', first: next, timeMs: nowMs, mark: tracker.mark, groups } as const;
    await append(() => events.append(frame, before, nowMs));
    const run = runs.current.id;
    const first = next;
    next += groups.length;
    unwritten -= groups.length;
    if (listeners.size > 0)
      tell(groups.map((each, i) => ({ kind: 'group', run, number: first + i, skip: 0, events: each })));
    if (isFile && !isWhole) await beginRun('uncertain-write');
  }

  async function beginRun(reason: GapReason): Promise<void> {
    const { current } = runs;
    if (current.first === next && current.gap !== undefined) return;
    tracker.begin();
    const before = head();
    const run = runs.begin(next, reason);
    counts.gaps.inc({ reason });
    await append(() => events.append({ kind: 'run', run }, before, Date.now()));
    tell([{ kind: 'gap', run: run.id, number: next, reason }]);
  }

  /** A disk that fails takes the log with it, not the service: then events are kept in memory, from here on. */
  async function append(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      log.error(
        { err: error },
        `recent events can't be kept in ${folder} any more, most likely because the disk is full: its files are removed, and until the next start they are kept in memory; a restart is a gap`,
      );
      counts.failures.inc();
      // a log that lacks something would look as if nothing had happened
      events.clear();
      events = new EventLog(undefined, bounds);
      isFile = false;
      await task();
    }
  }

  function tell(items: readonly LiveItem[]): void {
    for (const listener of [...listeners]) {
      try {
        listener(items);
      } catch (error) {
        log.error({ err: error }, 'a watcher of live events failed');
      }
    }
  }

  const expiring = setInterval(() => {
    if (writing === undefined) work(() => append(() => events.expire(head(), Date.now())));
  }, EXPIRE_MS).unref();

  // what is known of runs is in the folder before a place of this one is given out
  work(async () => {
    await append(() => events.begin(head(), Date.now()));
    if (left?.spent !== undefined) rmSync(left.spent, { force: true });
  });

  async function settled(): Promise<void> {
    while (pending.length > 0 || writing !== undefined) {
      if (writing === undefined) flush();
      await writing;
    }
  }

  /** Resolves when what was given up to now is in the log. */
  function taken(): Promise<void> {
    if (given === written) return Promise.resolve();
    return new Promise((resolve) => waiting.push({ upTo: given, resolve }));
  }

  const sequence: Sequence = {
    get log() {
      return events;
    },
    runs,
    get next() {
      return next;
    },
  };

  return {
    now: () => placeText(runs.current.id, next, 0),
    get following() {
      return next + unwritten;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    replay: (from) => createReplay(sequence, from),
    async past(sinceMs) {
      await taken();
      return readPast(sequence, store.newestOrder !== undefined, sinceMs);
    },
    committed(entries) {
      if (closed) return;
      for (const entry of entries) {
        pending.push(entry);
        pendingBytes += entry.events.length;
      }
      given += entries.length;
      unwritten += entries.length;
      schedule();
    },
    doubt() {
      const last = pending.at(-1);
      if (closed || (last !== undefined && 'gap' in last)) return;
      pending.push({ gap: 'uncertain-write' });
      given++;
      schedule();
    },
    logged: () => (isFile ? taken() : Promise.resolve()),
    settled,
    async close() {
      closed = true;
      clearInterval(expiring);
      await settled();
      events.close();
    },
  };
}

/** The outbox as a broker sees it: what is not in the log yet stays, for it is where the next process finds it. */
export function outboxBehindLog(store: OutboxToPublish, live: Pick<LiveEventLog, 'logged'>): OutboxToPublish {
  return {
    readOutbox: (limit, after, maxBytes) => store.readOutbox(limit, after, maxBytes),
    readStoredOutbox: (limit, after, maxBytes) => store.readStoredOutbox(limit, after, maxBytes),
    async clearOutbox(positions: readonly OutboxPosition[]) {
      await live.logged();
      await store.clearOutbox(positions);
    },
  };
}
