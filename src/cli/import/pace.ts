import { setTimeout as sleep } from 'node:timers/promises';

/** Undefined while there is no need to wait. */
export function createPace(rate: number | undefined, signal: AbortSignal): () => Promise<void> | undefined {
  if (rate === undefined) return () => undefined;
  let nextMs = performance.now();
  return () => {
    const now = performance.now();
    nextMs = Math.max(nextMs, now - 1000) + 1000 / rate;
    // timers are no finer than this, so small waits are gathered
    return nextMs - now < 5 ? undefined : sleep(nextMs - now, undefined, { signal }).catch(() => undefined);
  };
}
