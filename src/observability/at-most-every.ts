/**
 * For lines that others can cause as often as they like, and of which one is enough: whether it is time to say it again.
 *
 * @param everyMs - at least so long between two times; the first is at once
 * @param nowMs - of a clock that never goes back
 */
export function createAtMostEvery(everyMs: number, nowMs: () => number = () => performance.now()) {
  let saidMs = -Infinity;
  return (): boolean => {
    const now = nowMs();
    if (now - saidMs < everyMs) return false;
    saidMs = now;
    return true;
  };
}
