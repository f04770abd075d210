import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { refuse, type Refusal } from '../model/errors.js';
import { retry, type Retry } from '../model/outcome.js';
import type { Missing, OwnRepublishing, Republishing, RepublishStatus } from '../model/republishing.js';

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
/** How long somebody who cancels waits for the others. */
const CANCEL_MS = 15_000;

/**
 * Sending events again where replicas share a store: each keeps the events of its own changes, so each sends its part. What
 * is wished is in the store, and so is how each part goes, once a second while it changes; whichever replica is asked can
 * tell, and cancel. One that ends before its part is done is said to be missing.
 */
export function createSharedRepublication(deps: SharedRepublicationDeps): SharedRepublication {
  const { own, replicas, store, log, lookMs = LOOK_MS } = deps;
  /** the wish that is seen to here, or was */
  let taken: string | undefined;
  /** of them: whose part is under way here */
  let mine: { wish: Wish; index: number; written: string } | undefined;
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
    if (wish !== undefined && wish.id !== taken) await takePart(wish);
    if (mine === undefined) return;
    if (wish?.cancelled === true && wish.id === mine.wish.id) await own.cancel();
    await tell();
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
      mine = { wish, index, written: '' };
    }
    taken = wish.id;
  }

  /** Writes how the own part goes, if that is news. */
  async function tell(end?: (status: RepublishStatus) => RepublishStatus): Promise<void> {
    const status = own.status();
    if (mine === undefined || status === undefined) return;
    const { wish, index } = mine;
    const shown = end === undefined ? status : end(status);
    // it goes on while this is written
    const isOver = shown.state !== 'running';
    const text = JSON.stringify(shown);
    if (text !== mine.written) await writePart(wish, index, shown);
    if (isOver) mine = undefined;
    else mine.written = text;
  }

  /** One at a time. */
  function lookNow(): Promise<void> {
    return (looking ??= look().finally(() => (looking = undefined)));
  }

  async function merged(): Promise<RepublishStatus | undefined> {
    const wish = await readWish();
    if (wish === undefined) return undefined;
    const live = new Set(replicas.live());
    const parts: RepublishStatus[] = [];
    for (const [index, id] of wish.replicas.entries()) {
      // what is at hand here is newer
      const isOwn = mine?.wish.id === wish.id && mine.index === index;
      const part = (isOwn ? own.status() : undefined) ?? (await readPart(wish, index));
      if (part === undefined || part.state === 'running') {
        const isHeard = part !== undefined || Date.now() - wish.startedMs < UNHEARD_MS;
        const isAwaited = live.has(id) && isHeard && !(wish.cancelled && part === undefined);
        if (isAwaited) parts.push(part ?? emptyPart(wish));
        else {
          const ended = endedEarly(part ?? emptyPart(wish), endOf(id, live));
          // so that it stays so when one of that name is there again
          if (!live.has(id) && !wish.cancelled) await writePart(wish, index, ended);
          parts.push(ended);
        }
      } else if (part.state === 'cancelled' && !wish.cancelled && part.missing.length === 0)
        parts.push(endedEarly(part, `The replica ${id} stopped`));
      else parts.push(part);
    }
    return mergeParts(wish, parts);
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
        if (present?.state === 'running') return already(present.sinceMs);
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
      const isUnderWay = mine !== undefined && own.status()?.state === 'running';
      await own.cancel();
      if (isUnderWay)
        await tell((status) => endedEarly(status, `The replica ${replicas.id} stopped`)).catch(
          () => undefined,
        );
    },
  };
}

export function already(sinceMs: number): Refusal {
  const since = new Date(sinceMs).toISOString();
  return refuse(
    'republishing-already',
    `Events since ${since} are being sent again. Wait until that is done, or cancel it.`,
  );
}

function endOf(id: string, live: ReadonlySet<string>): string {
  return live.has(id) ? `The replica ${id} does not take part` : `The replica ${id} ended`;
}

function partOf(index: number): string {
  return `republish-${index}`;
}

function emptyPart({ id, sinceMs, startedMs }: Wish): RepublishStatus {
  return {
    id,
    state: 'running',
    sinceMs,
    startedMs,
    changes: { total: 0, done: 0 },
    events: { sent: 0, repeated: 0, failed: 0 },
    missing: [],
  };
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
