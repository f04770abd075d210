import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { ReplicaRow, Replication } from '../storage/index.js';
import { createLifetime } from './lifetime.js';
import { watchReplicas } from './replica-metrics.js';

/** What this process knows of the others on its storage, and they of it. */
export interface Replicas {
  /** Why this process must not write now; undefined: it may. O(1), without asking anybody. */
  whyNot(): string | undefined;
  /** This process goes by so many changes of filters from now on. Others hear of it a little later. */
  announce(known: number): void;
  /** Whether all live replicas are known to go by the first so many changes. Once it is so, it stays so. O(replicas). */
  allKnow(changes: number): boolean;
  /** Resolves when {@link allKnow}, or when told to stop. A replica that died is waited for until its time is up. */
  untilKnown(changes: number, stopping?: AbortSignal): Promise<void>;
  /** Tries to get a lease for this process, which has it until it releases it, or is taken for dead. */
  takeLease(name: string): Promise<boolean>;
  /** Whether it has it still. O(1). */
  holds(name: string): boolean;
  releaseLease(name: string): Promise<void>;
  /** ids of the live ones, this one included, sorted */
  live(): readonly string[];
  /** Called when those are others than before. Answers how to end it. */
  onLive(listener: () => void): () => void;
}

export interface RunningReplicas extends Replicas {
  /**
   * From now on it may write, and after each time when it might not, it may again when `catchUp` has resolved: all filter
   * changes are taken up then that there were when it was called.
   */
  begin(known: number, catchUp: () => Promise<void>): Promise<void>;
  /** for health */
  status(): { status: 'UP' | 'DOWN'; details: Record<string, string | number> };
  stop(): Promise<void>;
}

export interface ReplicasOptions {
  replication: Replication;
  id: string;
  log: Logger;
  metrics: Registry;
  /** how long after a renewal was sent this process may write */
  validMs: number;
}

/** Others take a process for dead when its row is so many times as old as it may write by it. */
const DEAD_AFTER = 1.2;
/** So many renewals, and looks at the others, while one is valid. */
const RENEWALS = 5;
const LOOKS = 20;
/** While somebody waits for others to know something. */
const LOOK_AGAIN_MS = 50;
/** Rows of dead ones go when they are so many times as old as a dead one's. */
const FORGET_AFTER = 10;

/** Where there is one process: it may do everything, and knows all that there is. */
export const ALONE: Replicas = {
  whyNot: () => undefined,
  announce: () => undefined,
  allKnow: () => true,
  untilKnown: () => Promise.resolve(),
  takeLease: () => Promise.resolve(true),
  holds: () => true,
  releaseLease: () => Promise.resolve(),
  live: () => [],
  onLive: () => () => undefined,
};

/**
 * Joins the others. Rejects when another process with this id is alive; to find that out takes a little longer than
 * `validMs` where one of that id has just died.
 */
export async function createReplicas(options: ReplicasOptions): Promise<RunningReplicas> {
  const { replication, id, log, validMs } = options;
  let session = randomUUID() as string;
  /** what is announced with the next renewal */
  let known = 0;
  /** of the session */
  let lifetime = createLifetime(validMs);
  let caughtUp = false;
  let rejoined = false;
  let catchUp: (() => Promise<void>) | undefined;
  let rows: readonly ReplicaRow[] = [];
  let live: readonly string[] = [id];
  const listeners = new Set<() => void>();
  const leases = new Map<string, string>();
  const stop = new AbortController();

  const isLive = (row: ReplicaRow) => row.ageMs < deadMsOf(row);

  async function look(): Promise<void> {
    const seen = await replication.replicas();
    rows = seen;
    for (const row of seen)
      if (row.ageMs > deadMsOf(row) * FORGET_AFTER && row.id !== id) await replication.leave(row);
    const ids = [...new Set([id, ...seen.filter(isLive).map((row) => row.id)])].sort();
    if (ids.join('\n') === live.join('\n')) return;
    log.info({ replicas: ids }, 'replicas that are live');
    live = ids;
    for (const listener of [...listeners]) listener();
  }

  /** Takes the row of this id, unless another process shows that it is alive. */
  async function join(): Promise<'joined' | 'taken'> {
    const former = session;
    const fresh = randomUUID();
    let first: ReplicaRow | undefined;
    for (let replaces = former; !stop.signal.aborted;) {
      const lifetimeOfFresh = createLifetime(validMs);
      const joined = await replication.join({ id, session: fresh, known, validMs }, replaces);
      if (joined.kind === 'joined') {
        session = fresh;
        lifetime = lifetimeOfFresh;
        caughtUp = false;
        return 'joined';
      }
      const { by } = joined;
      if (first === undefined && isLive(by))
        log.warn(
          { replica: id, waitMs: deadMsOf(by) - by.ageMs },
          'a replica with this id was alive a moment ago: waiting whether it still is',
        );
      if (first !== undefined && (by.session !== first.session || by.ageMs < first.ageMs)) return 'taken';
      first = by;
      if (isLive(by)) await pause(Math.min(1_000, deadMsOf(by) - by.ageMs + 1));
      else replaces = by.session;
    }
    return 'taken';
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined);
  }

  async function renew(): Promise<void> {
    if (lifetime.isOver() || !caughtUp) return resume();
    const sent = createLifetime(validMs);
    const announced = known;
    const there = await replication.renew({ id, session, known: announced, validMs });
    // an answer that comes when the time is up may be of a session that others take for dead
    if (!there || lifetime.isOver()) return resume();
    lifetime = sent;
    if (known !== announced) soon();
  }

  /** Begins a session anew: whoever was taken for dead has no lease any more, and may lack filter changes. */
  async function resume(): Promise<void> {
    if (catchUp === undefined) return;
    if (!rejoined) log.warn({ replica: id }, 'this replica could not be renewed in time: it does not write');
    rejoined = true;
    caughtUp = false;
    if ((await join()) === 'taken') {
      if (!stop.signal.aborted) log.error({ replica: id }, TWO_OF_AN_ID);
      return;
    }
    await catchUp();
    if (!(await replication.renew({ id, session, known, validMs })) || lifetime.isOver()) return;
    caughtUp = true;
    rejoined = false;
    log.info({ replica: id }, 'this replica is back, and writes again');
  }

  let wake: (() => void) | undefined;
  let renewing: Promise<void> = Promise.resolve();
  let again = false;

  /** Also in between, when there is something to announce. */
  function soon(): void {
    again = true;
    wake?.();
  }

  async function keepRenewing(): Promise<void> {
    while (!stop.signal.aborted) {
      again = false;
      await renew().catch((error: unknown) => {
        if (!stop.signal.aborted) log.warn({ err: error }, 'this replica could not be renewed; trying again');
      });
      if (again) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, validMs / RENEWALS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      wake = undefined;
    }
  }

  let looking: Promise<void> = Promise.resolve();
  async function keepLooking(): Promise<void> {
    while (!stop.signal.aborted) {
      // what it is for says so itself, when it can't be done
      await look().catch(() => undefined);
      await pause(validMs / LOOKS);
    }
  }

  const whyNot = (): string | undefined => {
    if (caughtUp && !lifetime.isOver()) return undefined;
    return `This replica (${id}) could not say that it is alive for ${Math.round(lifetime.ageMs() / 1000)} s, so others may take it for dead. It writes again when the storage answers and it has caught up.`;
  };

  const allKnow = (changes: number): boolean =>
    rows.length > 0 && rows.every((row) => !isLive(row) || row.known >= changes);

  watchReplicas(options.metrics, {
    rows: () => rows.map((row) => ({ live: isLive(row) })),
    leaseAgeMs: () => lifetime.ageMs(),
  });

  if ((await join()) === 'taken') throw new Error(`${TWO_OF_AN_ID} The id is "${id}".`);
  await look();

  return {
    whyNot,
    allKnow,
    async begin(now, how) {
      known = now;
      catchUp = how;
      caughtUp = await replication.renew({ id, session, known, validMs });
      renewing = keepRenewing();
      looking = keepLooking();
    },
    announce(now) {
      if (now <= known) return;
      known = now;
      if (caughtUp) soon();
    },
    async untilKnown(changes, stopping) {
      while (!allKnow(changes) && stopping?.aborted !== true && !stop.signal.aborted) {
        await look();
        if (!allKnow(changes)) await pause(LOOK_AGAIN_MS);
      }
    },
    async takeLease(name) {
      const mine = session;
      if (whyNot() !== undefined) return false;
      const isDead = async (other: string): Promise<boolean> =>
        !(await replication.replicas()).some((row) => row.session === other && isLive(row));
      if (!(await replication.takeLease(name, mine, isDead))) return false;
      leases.set(name, mine);
      return mine === session;
    },
    holds: (name) => leases.get(name) === session && whyNot() === undefined,
    async releaseLease(name) {
      const mine = leases.get(name);
      leases.delete(name);
      if (mine !== undefined) await replication.releaseLease(name, mine);
    },
    live: () => live,
    onLive(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    status() {
      const why = whyNot();
      const details = { id, live: live.length, ...(why === undefined ? {} : { message: why }) };
      return { status: why === undefined ? 'UP' : 'DOWN', details };
    },
    async stop() {
      stop.abort();
      wake?.();
      await Promise.all([renewing, looking]);
      // others need not wait until they take it for dead
      await replication.leave({ id, session }).catch(() => undefined);
    },
  };
}

function deadMsOf(row: ReplicaRow): number {
  return row.validMs * DEAD_AFTER;
}

const TWO_OF_AN_ID =
  'Another process with the same replica id is alive on this storage. Remedy: give each its own service.instance.replica.id, or none, which makes a random one.';
