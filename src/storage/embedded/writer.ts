import type { RootDatabase } from 'lmdb';
import { StorageUnavailable } from '../port.js';
import { bytesOfNumber, type Table } from './tables.js';

/** Work to be done inside of a write transaction, and who waits for it. */
interface Job {
  work: () => unknown;
  result?: unknown;
  resolve: (value: never) => void;
  reject: (error: unknown) => void;
}

export interface Writer {
  /**
   * Runs `work` in a write transaction and resolves with its result when that is durable. All that is waiting when the
   * transaction begins shares it, and its flush to disk. When work throws, nothing of it is written.
   */
  submit<T>(work: () => T): Promise<T>;
  /** Resolves when all that was submitted has ended; what comes later is rejected. */
  end(): Promise<void>;
}

export interface WriterDeps {
  env: RootDatabase;
  meta: Table;
  durability: 'sync' | 'async';
  folder: string;
}

/**
 * One transaction may flush while the next one writes; a third would only wait for them, and hold one of the few
 * threads that Node has for files. What comes meanwhile makes the third one larger.
 */
const IN_FLIGHT = 2;
const MARK = 'mark';

/**
 * Groups writes. The promise of an LMDB transaction (lmdb-js, overlapping sync) is kept after `fdatasync` of the data
 * and a synchronous write of the page that makes it current: with `sync`, that is when a write is answered. With
 * `async` it is answered when its transaction is visible to readers, that is in the system's page cache: it outlives
 * this process. If the machine stops, LMDB goes back to the last flush, as a whole.
 */
export function createWriter({ env, meta, durability, folder }: WriterDeps): Writer {
  let queue: Job[] = [];
  let inFlight = 0;
  let waiting = false;
  let ended = false;
  let marks = meta.getBinary(MARK)?.readDoubleLE(0) ?? 0;
  let idle: (() => void) | undefined;

  function begin(): void {
    if (waiting || inFlight >= IN_FLIGHT || queue.length === 0) return;
    waiting = true;
    inFlight++;
    void transact(() => {
      waiting = false;
      return take();
    }).finally(() => {
      waiting = false;
      inFlight--;
      begin();
      if (inFlight === 0) idle?.();
    });
  }

  function take(): Job[] {
    const jobs = queue;
    queue = [];
    return jobs;
  }

  async function transact(takeJobs: () => Job[]): Promise<void> {
    let jobs: Job[] | undefined;
    let broken: { error: unknown } | undefined;
    let mark = 0;
    // A child transaction, since lmdb-js commits what a plain one wrote before it threw.
    const flushed = env.childTransaction(() => {
      jobs = takeJobs();
      try {
        for (const job of jobs) job.result = job.work();
        if (durability === 'async') meta.put(MARK, bytesOfNumber((mark = ++marks)));
      } catch (error) {
        broken = { error };
        throw error;
      }
    });
    try {
      await (durability === 'sync'
        ? flushed
        : Promise.race([
            flushed,
            visible(
              () => jobs !== undefined,
              () => mark,
              flushed,
            ),
          ]));
      for (const job of jobs ?? []) job.resolve(job.result as never);
    } catch (error) {
      await refuse(jobs ?? take(), broken?.error, error);
    }
    // Answered, but not flushed: that may be lost with the power. The writes after it will be told.
    if (durability === 'async') await flushed.catch((error: unknown) => explain(error, folder));
  }

  /** One job's throw took the others' work with it: each is tried again alone. */
  async function refuse(jobs: Job[], broken: unknown, error: unknown): Promise<void> {
    if (broken === undefined || isFromStorage(broken)) {
      const unavailable = new StorageUnavailable(await explain(broken ?? error, folder), { cause: error });
      for (const job of jobs) job.reject(unavailable);
    } else if (jobs.length === 1) jobs[0]!.reject(broken);
    else for (const job of jobs) await transact(() => [job]);
  }

  /** lmdb-js has no event for it before the flush; a read of the mark costs microseconds. */
  async function visible(ran: () => boolean, mark: () => number, flushed: Promise<unknown>): Promise<void> {
    let over = false;
    const end = () => (over = true);
    flushed.then(end, end);
    while (!over) {
      await new Promise(setImmediate);
      if (!ran() || mark() === 0) continue;
      env.resetReadTxn();
      if ((meta.getBinaryFast(MARK)?.readDoubleLE(0) ?? 0) >= mark()) return;
    }
    await flushed;
  }

  return {
    submit<T>(work: () => T): Promise<T> {
      if (ended) return Promise.reject(new StorageUnavailable(`The store in ${folder} is closed.`));
      return new Promise<T>((resolve, reject) => {
        queue.push({ work, resolve, reject });
        begin();
      });
    },
    async end() {
      ended = true;
      if (inFlight > 0) await new Promise<void>((resolve) => (idle = resolve));
    },
  };
}

/** LMDB's errors have numbers. */
function isFromStorage(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === 'number';
}

/** What a failed commit means, and what to do. Never throws. */
export async function explain(error: unknown, folder: string): Promise<string> {
  const commitError = (error as { commitError?: Promise<unknown> }).commitError;
  const cause = commitError
    ? await Promise.race([
        commitError.catch((reason: unknown) => reason),
        new Promise((resolve) => setTimeout(resolve, 100, error)),
      ])
    : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (/ENOSPC|No space left|EDQUOT|quota/i.test(text)) {
    return `The disk of ${folder} is full (${text}). Nothing was written; free some space, and writes go on.`;
  }
  if (/EFBIG|File too large/i.test(text))
    return `The file system refuses a larger file in ${folder} (${text}). Raise its limit.`;
  if (/EIO|Input\/output/i.test(text)) {
    // LMDB's answer to a write that was cut short, too.
    return `The disk of ${folder} is full, or fails (${text}). Nothing was written; free some space, and if there is some, look at the system's log.`;
  }
  return `The embedded store in ${folder} could not write: ${text}`;
}
