import { setTimeout as sleep } from 'node:timers/promises';

export interface Wait<T> {
  /** completes "waited ... for" */
  what: string;
  limitMs?: number;
  /** looks are further apart each time, up to this */
  longestAgainMs?: number;
  /** Looks once: `value` when it is there, else `state`, which the error tells. */
  look: () => Promise<{ value: T } | { state: unknown }>;
}

const LIMIT_MS = 120_000;
const FIRST_AGAIN_MS = 20;
const LONGEST_AGAIN_MS = 500;

/** Looks again and again. @throws Error that says what was waited for and how it was at the last look */
export async function until<T>({
  what,
  limitMs = LIMIT_MS,
  longestAgainMs = LONGEST_AGAIN_MS,
  look,
}: Wait<T>): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (
    let againMs = Math.min(FIRST_AGAIN_MS, longestAgainMs);
    ;
    againMs = Math.min(longestAgainMs, againMs * 1.5)
  ) {
    const seen = await look();
    if ('value' in seen) return seen.value;
    if (performance.now() > deadline)
      throw new Error(`waited ${limitMs} ms for ${what}; at last it was ${JSON.stringify(seen.state)}`);
    await sleep(againMs);
  }
}

/** The promise, but for no longer than the limit. @throws Error that says what was waited for and how it was then */
export async function within<T>(what: string, promise: Promise<T>, state: () => unknown): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${LIMIT_MS} ms for ${what}; at last it was ${JSON.stringify(state())}`));
    }, LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
