import type { RootDatabase } from 'lmdb';
import { StorageUnavailable } from '../port.js';
import { reasonOf } from './commit-reason.js';
import { type Changes, Draft, directChanges, noUnseenValues } from './draft.js';
import { type Fence, NOTHING, type Tables } from './tables.js';

/** Work that writes, and who waits for it. */
interface Job {
  kind: 'draft' | 'transaction';
  work: (changes: Changes) => unknown;
  result?: unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

/** Both ways resolve when the write is durable, and write nothing of work that throws. */
export interface Writer {
  /** Plans single puts and removals; LMDB's own thread carries them out. What waits together shares a flush to disk. */
  draft<T>(plan: (changes: Changes) => T): Promise<T>;
  /**
   * Runs `work` inside of a write transaction, where it may read ranges of what it changes. Stands alone: drafts before
   * it are durable when it begins, and those behind it wait.
   */
  transact<T>(work: (changes: Changes) => T): Promise<T>;
  /** Resolves when all that was given has ended; what comes later is rejected. */
  end(): Promise<void>;
}

export interface WriterDeps {
  env: RootDatabase;
  tables: Tables;
  fence: Fence;
  durability: 'sync' | 'async';
  folder: string;
}

/**
 * One draft may flush while the next one is written; a third would only wait for them, and hold one of the few threads
 * that Node has for files. What comes meanwhile makes the third one larger.
 */
const IN_FLIGHT = 2;
const TURN = 'turn';

/**
 * Groups writes. The promise of an LMDB transaction (lmdb-js, overlapping sync) is kept after `fdatasync` of the data
 * and a synchronous write of the page that makes it current: with `sync`, that is when a write is answered. With
 * `async` it is answered when its transaction is visible to readers, that is in the system's page cache: it outlives
 * this process. If the machine stops, LMDB goes back to the last flush, as a whole.
 *
 * A draft may build on one that is under way. So each is written on the condition that the one before it was (the fence
 * has its turn); if not, its work is planned anew.
 */
export function createWriter({ env, tables, fence, durability, folder }: WriterDeps): Writer {
  const unseen = noUnseenValues();
  const direct = directChanges(tables);
  const queue: Job[] = [];
  let inFlight = 0;
  let alone = false;
  let failed = false;
  let ended = false;
  let turn = storedTurn();
  let idle: (() => void) | undefined;

  /** of the newest write that readers see; 0: none */
  function storedTurn(): number {
    env.resetReadTxn();
    return fence.getEntry(TURN)?.version ?? 0;
  }

  function begin(): void {
    while (queue.length > 0 && inFlight < IN_FLIGHT && !alone && !failed) {
      const { kind } = queue[0]!;
      if (kind === 'transaction' && inFlight > 0) return;
      const jobs = takeOf(kind);
      inFlight++;
      alone = kind === 'transaction';
      void (alone ? transact(jobs) : writeDraft(jobs)).finally(finished);
    }
  }

  function takeOf(kind: Job['kind']): Job[] {
    let count = 1;
    while (queue[count]?.kind === kind) count++;
    return queue.splice(0, count);
  }

  function finished(): void {
    inFlight--;
    alone = false;
    if (inFlight === 0 && failed) {
      turn = storedTurn();
      failed = false;
    }
    begin();
    if (inFlight === 0) idle?.();
  }

  async function writeDraft(taken: Job[]): Promise<void> {
    const draft = new Draft(tables, unseen, ++turn);
    const jobs = taken.filter((job) => isPlanned(job, draft));
    if (jobs.length === 0) return void turn--;
    const written = fence.ifVersion(TURN, conditionOf(draft.turn), () => {
      void fence.put(TURN, NOTHING, draft.turn);
      draft.write();
    });
    try {
      if (await answerable(written, draft.turn)) for (const job of jobs) job.resolve(job.result as never);
      else queue.unshift(...jobs);
      // answered, but not flushed: that may be lost with the power, and the writes after it will be told
      if (durability === 'async') await written.catch((error: unknown) => explain(error, folder));
      if (!(await written)) failed = true;
    } catch (error) {
      failed = true;
      const unavailable = new StorageUnavailable(await explain(error, folder), { cause: error });
      for (const job of jobs) job.reject(unavailable);
    }
    draft.settle();
  }

  function isPlanned(job: Job, draft: Draft): boolean {
    const { length } = draft;
    try {
      job.result = job.work(draft);
      return true;
    } catch (error) {
      draft.cut(length);
      job.reject(error);
      return false;
    }
  }

  async function transact(jobs: Job[]): Promise<void> {
    let broken: { error: unknown } | undefined;
    const mine = ++turn;
    // A child transaction, since lmdb-js commits what a plain one wrote before it threw.
    const flushed = env.childTransaction(() => {
      try {
        for (const job of jobs) job.result = job.work(direct);
        void fence.put(TURN, NOTHING, mine);
      } catch (error) {
        broken = { error };
        throw error;
      }
    });
    try {
      await answerable(
        flushed.then(() => true),
        mine,
      );
      for (const job of jobs) job.resolve(job.result as never);
    } catch (error) {
      turn = storedTurn();
      await refuse(jobs, broken?.error, error);
    }
    if (durability === 'async') await flushed.catch((error: unknown) => explain(error, folder));
  }

  /** One job's throw took the others' work with it: each is tried again alone. */
  async function refuse(jobs: Job[], broken: unknown, error: unknown): Promise<void> {
    if (broken === undefined || isFromStorage(broken)) {
      const unavailable = new StorageUnavailable(await explain(broken ?? error, folder), { cause: error });
      for (const job of jobs) job.reject(unavailable);
    } else if (jobs.length === 1) jobs[0]!.reject(broken);
    else for (const job of jobs) await transact([job]);
  }

  /** Whether a write took place, when that may be said. */
  function answerable(flushed: Promise<boolean>, mine: number): Promise<boolean> {
    return durability === 'sync' ? flushed : Promise.race([flushed, visible(flushed, mine)]);
  }

  /** lmdb-js has no event for it before the flush; a read of the fence costs microseconds. */
  async function visible(flushed: Promise<boolean>, mine: number): Promise<boolean> {
    let over = false;
    const end = () => (over = true);
    flushed.then(end, end);
    while (!over) {
      await new Promise(setImmediate);
      if (storedTurn() >= mine) return true;
    }
    return flushed;
  }

  function submit<T>(kind: Job['kind'], work: (changes: Changes) => T): Promise<T> {
    if (ended) return Promise.reject(new StorageUnavailable(`The store in ${folder} is closed.`));
    return new Promise<T>((resolve, reject) => {
      queue.push({ kind, work, resolve, reject });
      begin();
    });
  }

  return {
    draft: (plan) => submit('draft', plan),
    transact: (work) => submit('transaction', work),
    async end() {
      ended = true;
      if (inFlight > 0) await new Promise<void>((resolve) => (idle = resolve));
    },
  };
}

/** What must hold for a turn to be written; null: there was none before. */
function conditionOf(turn: number): number {
  return turn === 1 ? (null as never) : turn - 1;
}

/** LMDB's errors have numbers. */
function isFromStorage(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === 'number';
}

/** What a failed commit means, and what to do. Never throws. */
export async function explain(error: unknown, folder: string): Promise<string> {
  const cause = await reasonOf(error);
  // lmdb-js loses the reason when two writes fail at once
  if (cause === undefined)
    return `The disk of ${folder} is full, most likely, or fails; LMDB does not say. Free some space, and if there is some, look at the system's log.`;
  const text = cause instanceof Error ? cause.message : JSON.stringify(cause);
  if (/ENOSPC|No space left|EDQUOT|quota/i.test(text)) {
    return `The disk of ${folder} is full (${text}). Free some space, and writes go on.`;
  }
  if (/EFBIG|File too large/i.test(text))
    return `The file system refuses a larger file in ${folder} (${text}). Raise its limit.`;
  if (/EIO|Input\/output/i.test(text)) {
    // LMDB's answer to a write that was cut short, too.
    return `The disk of ${folder} is full, or fails (${text}). Free some space, and if there is some, look at the system's log.`;
  }
  return `The embedded store in ${folder} could not write: ${text}`;
}
