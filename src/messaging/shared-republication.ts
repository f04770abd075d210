import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { refuse, type Refusal } from '../model/errors.js';
import { retry, type Retry } from '../model/outcome.js';
import {
  alreadyUnderWay,
  begunStatus,
  type Missing,
  type OwnRepublishing,
  type Republishing,
  type RepublishStatus,
} from '../model/republishing.js';

export interface SharedRepublication extends Republishing {
  /** Takes part in what others begin. Resolves when what a former process of this name has left is seen to. */
  start(): Promise<void>;
  /** Ends the own part, and leaves for others what came of it. */
  stop(): Promise<void>;
}

export interface SharedRepublicationDeps {
  own: OwnRepublishing;
  replicas: { id: string; live(): readonly string[] };
  /** texts that all replicas see */
  store: {
    getText(name: string): Promise<string | undefined>;
    putText(name: string, text: string): Promise<void>;
  };
  log: Logger;
  /** how often each looks whether something is wished, and writes how its part goes */
  lookMs?: number;
  /** how long one that does not answer is waited for */
  goneMs?: number;
}

/** What somebody asked for; kept until the next one. */
interface Wish {
  id: string;
  sinceMs: number;
  startedMs: number;
  /** those that were live, each with a part */
  replicas: string[];
  cancelled: boolean;
}

interface Part {
  /** whose it is */
  wish: string;
  status: RepublishStatus;
}

const WISH = 'republish';
const LOOK_MS = 1_000;
/** Longer than any that is live takes to take part. */
const UNHEARD_MS = 30_000;
const GONE_MS = 30_000;
/** How long somebody who cancels waits for the others. */
const CANCEL_MS = 15_000;

/**
 * Sending events again where replicas share a store: each keeps the events of its own changes, so each sends its part. What
 * is wished is in the store, and so is how each part goes, once a second while it changes; whichever replica is asked can
 * tell, and cancel. One that stands still is waited for, and goes on when it is back; one that ends before its part is done, or
 * does not come back in time, is said to be missing.
 */
export function createSharedRepublication(deps: SharedRepublicationDeps): SharedRepublication {
  const { own, replicas, store, log, lookMs = LOOK_MS, goneMs = GONE_MS } = deps;
  /** the wish that is seen to here, or was */
  let taken: string | undefined;
  /** of them: whose part is under way here */
  let mine: { wish: Wish; index: number } | undefined;
  /** since when those that have a part do not answer, Unix ms */
  const silentSinceMs = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  async function readWish(): Promise<Wish | undefined> {
    const text = await store.getText(WISH);
    return text === undefined ? undefined : (JSON.parse(text) as Wish);
  }

  async function readPart(wish: Wish, index: number): Promise<RepublishStatus | undefined> {
    const text = await store.getText(partOf(index));
    const part = text === undefined ? undefined : (JSON.parse(text) as Part);
    return part?.wish === wish.id ? part.status : undefined;
  }

  const writePart = (wish: Wish, index: number, status: RepublishStatus) =>
    store.putText(partOf(index), JSON.stringify({ wish: wish.id, status } satisfies Part));

  async function look(): Promise<void> {
    const wish = await readWish();
    noteSilent(wish?.replicas ?? []);
    if (wish !== undefined && wish.id !== taken) await takePart(wish);
    if (mine === undefined) return;
    if (wish?.cancelled === true && wish.id === mine.wish.id) await own.cancel();
    await tell();
  }

  function noteSilent(ids: readonly string[]): void {
    const live = new Set(replicas.live());
    for (const id of silentSinceMs.keys()) if (live.has(id) || !ids.includes(id)) silentSinceMs.delete(id);
    for (const id of ids) if (!live.has(id) && !silentSinceMs.has(id)) silentSinceMs.set(id, Date.now());
  }

  async function takePart(wish: Wish): Promise<void> {
    const index = wish.replicas.indexOf(replicas.id);
    const before = index < 0 ? undefined : await readPart(wish, index);
    if (before?.state === 'running')
      await writePart(wish, index, endedEarly(before, `The replica ${replicas.id} was started again`));
    if (index >= 0 && before === undefined && !wish.cancelled) {
      const begun = own.start(wish.sinceMs);
      // the one before it is not at its end
      if ('kind' in begun) return;
      mine = { wish, index };
    }
    taken = wish.id;
  }

  /** Writes how the own part goes, if that is news. */
  async function tell(end = (status: RepublishStatus) => status): Promise<void> {
    const status = own.status();
    if (mine === undefined || status === undefined) return;
    const { wish, index } = mine;
    const shown = end(status);
    // it goes on while this is written
    const isOver = shown.state !== 'running';
    const text = JSON.stringify(shown);
    // others have written that it is over, if it did not answer for long
    if (text !== JSON.stringify(await readPart(wish, index))) await writePart(wish, index, shown);
    if (isOver) mine = undefined;
  }

  /** One at a time. */
  function lookNow(): Promise<void> {
    return (looking ??= look().finally(() => (looking = undefined)));
  }

  async function merged(): Promise<RepublishStatus | undefined> {
    const wish = await readWish();
    if (wish === undefined) return undefined;
    noteSilent(wish.replicas);
    const parts: RepublishStatus[] = [];
    for (const [index, id] of wish.replicas.entries()) {
      // what is at hand here is newer
      const isOwn = mine?.wish.id === wish.id && mine.index === index;
      const part = (isOwn ? own.status() : undefined) ?? (await readPart(wish, index));
      if (part === undefined || part.state === 'running') parts.push(await openPart(wish, index, id, part));
      else if (part.state === 'cancelled' && !wish.cancelled && part.missing.length === 0)
        parts.push(endedEarly(part, `The replica ${id} stopped`));
      else parts.push(part);
    }
    return mergeParts(wish, parts);
  }

  /** What is known of a part that is not at its end; undefined: nothing. */
  async function openPart(
    wish: Wish,
    index: number,
    id: string,
    known: RepublishStatus | undefined,
  ): Promise<RepublishStatus> {
    const part = known ?? begunStatus(wish);
    const sinceMs = silentSinceMs.get(id);
    if (sinceMs === undefined) {
      const isHeard = known !== undefined || Date.now() - wish.startedMs < UNHEARD_MS;
      return isHeard && !(wish.cancelled && known === undefined)
        ? part
        : endedEarly(part, `The replica ${id} does not take part`);
    }
    // who is back sees that it is cancelled
    if (wish.cancelled) return endedEarly(part, `The replica ${id} does not answer`);
    const since = new Date(sinceMs).toISOString();
    if (Date.now() - sinceMs < goneMs) {
      const until = new Date(sinceMs + goneMs).toISOString();
      const waiting = `The replica ${id} does not answer since ${since}. Its part goes on when it is back; it is waited for until ${until}.`;
      return { ...part, waiting };
    }
    const ended = endedEarly(part, `The replica ${id} does not answer since ${since}, and was given up`);
    await writePart(wish, index, ended);
    return ended;
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T | Retry> {
    try {
      return await work();
    } catch (error) {
      return retry('storage-unavailable', (error as Error).message);
    }
  }

  return {
    begin: (sinceMs) =>
      guarded(async (): Promise<RepublishStatus | Refusal> => {
        const present = await merged();
        if (present?.state === 'running') return alreadyUnderWay(present);
        const wish: Wish = {
          id: randomUUID(),
          sinceMs,
          startedMs: Date.now(),
          replicas: [...replicas.live()],
          cancelled: false,
        };
        await store.putText(WISH, JSON.stringify(wish));
        // another one may have begun at the same moment; then both are seen to, one after the other
        await lookNow();
        await lookNow();
        return (await merged()) ?? refuse('republishing-not-found');
      }),
    status: () => guarded(merged),
    cancel: () =>
      guarded(async () => {
        const wish = await readWish();
        if (wish === undefined || (await merged())?.state !== 'running') return;
        await store.putText(WISH, JSON.stringify({ ...wish, cancelled: true }));
        const untilMs = Date.now() + CANCEL_MS;
        do {
          await lookNow();
          if ((await merged())?.state !== 'running') return;
          await sleep(lookMs / 4);
        } while (Date.now() < untilMs);
      }),
    async start() {
      const tryLook = () =>
        lookNow().catch((error: unknown) =>
          log.debug({ err: error }, 'what is to be sent again is not known; looked for again'),
        );
      timer = setInterval(() => void tryLook(), lookMs);
      timer.unref();
      await tryLook();
    },
    async stop() {
      clearInterval(timer);
      await looking?.catch(() => undefined);
      const isUnderWay = own.status()?.state === 'running';
      await own.cancel();
      await tell((status) =>
        isUnderWay ? endedEarly(status, `The replica ${replicas.id} stopped`) : status,
      ).catch(() => undefined);
    },
  };
}

function partOf(index: number): string {
  return `republish-${index}`;
}

function endedEarly(part: RepublishStatus, why: string): RepublishStatus {
  const { waiting: _waiting, ...rest } = part;
  const message = `${why} before its part was sent to the end; what only it kept is not sent. Run this again, and let consumers read the present state over REST.`;
  const missing: Missing[] = [...part.missing, { reason: 'replica-ended', message }];
  return { ...rest, state: 'done', endedMs: part.endedMs ?? Date.now(), missing };
}

function mergeParts(wish: Wish, parts: readonly RepublishStatus[]): RepublishStatus {
  const { id, sinceMs, startedMs } = wish;
  const isRunning = parts.some(({ state }) => state === 'running');
  const hasFailed = parts.some(({ state }) => state === 'failed');
  const sum = (of: (part: RepublishStatus) => number) => parts.reduce((total, part) => total + of(part), 0);
  const kept = parts.flatMap(({ keptSinceMs }) => keptSinceMs ?? []);
  const waiting = parts.find((part) => part.state === 'running' && part.waiting !== undefined)?.waiting;
  const ended = parts.flatMap(({ endedMs }) => endedMs ?? []);
  const done = wish.cancelled ? ('cancelled' as const) : hasFailed ? ('failed' as const) : ('done' as const);
  return {
    id,
    state: isRunning ? 'running' : done,
    sinceMs,
    startedMs,
    ...(isRunning || ended.length === 0 ? {} : { endedMs: Math.max(...ended) }),
    ...(kept.length === 0 ? {} : { keptSinceMs: Math.max(...kept) }),
    changes: { total: sum(({ changes }) => changes.total), done: sum(({ changes }) => changes.done) },
    events: {
      sent: sum(({ events }) => events.sent),
      repeated: sum(({ events }) => events.repeated),
      failed: sum(({ events }) => events.failed),
    },
    missing: missingOf(parts),
    ...(waiting === undefined ? {} : { waiting }),
  };
}

/** Each thing once; of times from which on events are kept, the latest, before which some replica's are not. */
function missingOf(parts: readonly RepublishStatus[]): Missing[] {
  const latest = [...parts].sort((a, b) => (b.keptSinceMs ?? 0) - (a.keptSinceMs ?? 0));
  const found = new Map<string, Missing>();
  for (const { missing } of latest)
    for (const one of missing) {
      const key = one.reason === 'not-kept' ? one.reason : one.message;
      if (!found.has(key)) found.set(key, one);
    }
  return [...found.values()];
}
