/** How long a promise of this moment holds. */
export interface Lifetime {
  isOver(): boolean;
  ageMs(): number;
}

/**
 * By the monotonic clock, which goes on while a process is stopped, and by the clock of the day, which goes on while a machine
 * sleeps: whichever says that more time has passed. One that is set forward ends it early, which is no harm.
 */
export function createLifetime(validMs: number): Lifetime {
  const beganMs = performance.now();
  const beganDateMs = Date.now();
  const ageMs = () => Math.max(performance.now() - beganMs, Date.now() - beganDateMs);
  return { ageMs, isOver: () => ageMs() >= validMs };
}
