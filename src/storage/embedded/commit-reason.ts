import { setTimeout as sleep } from 'node:timers/promises';

const REASON_MS = 1_000;

/**
 * lmdb-js tells why a commit failed by a promise beside the error; unheard, that brings the process down. Answers that
 * promise, heard; undefined when the error has none.
 */
export function hearReason(error: unknown): Promise<unknown> | undefined {
  return (error as { commitError?: Promise<unknown> }).commitError?.catch((reason: unknown) => reason);
}

/** Why a commit failed: the error itself, or what it has beside it; undefined when that is never told. */
export async function reasonOf(error: unknown): Promise<unknown> {
  const reason = hearReason(error);
  return reason === undefined ? error : within(REASON_MS, reason);
}

/** What work comes to, or undefined when that takes longer. */
export async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  const done = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    done.abort();
  }
}
