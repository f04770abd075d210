/** What is counted a second. */
export interface RateCounts {
  updates: number;
  matches: number;
}

/** Columns for the chart: Unix seconds, then counts; `null` where nobody listened. */
export type RateSeries = [times: number[], updates: (number | null)[], matches: (number | null)[]];

export interface Rates {
  add(second: number, counts: RateCounts): void;
  /** From now on seconds count, with 0 where nothing comes, until {@link Rates.close}. */
  open(second: number): void;
  close(second: number): void;
  /** The last whole seconds before `second`, oldest first. O(window). */
  series(second: number): RateSeries;
  /** The average of the last whole seconds that were listened to, at most `seconds` of them. */
  recent(second: number, seconds: number): RateCounts | undefined;
}

/** Counts by the second, for the last `windowS` seconds: a ring, so that it never grows. */
export function createRates(windowS: number): Rates {
  const size = windowS + 1;
  const seconds = new Float64Array(size).fill(-1);
  const updates = new Float64Array(size);
  const matches = new Float64Array(size);
  const listened = new Uint8Array(size);
  let openSince: number | undefined;

  /** The place of that second; what was there of an older one is gone. */
  function place(second: number): number {
    const at = second % size;
    if (seconds[at] !== second) {
      seconds[at] = second;
      updates[at] = 0;
      matches[at] = 0;
      listened[at] = openSince !== undefined && second >= openSince ? 1 : 0;
    }
    return at;
  }

  /** Gives each second of the open time its place, so that silence is told from absence. */
  function fill(until: number): void {
    if (openSince === undefined) return;
    for (let second = Math.max(openSince, until - windowS); second <= until; second++) place(second);
  }

  return {
    add(second, counts) {
      // older than the window: its place is another's
      if (seconds[second % size]! > second) return;
      const at = place(second);
      updates[at]! += counts.updates;
      matches[at]! += counts.matches;
      listened[at] = 1;
    },
    open(second) {
      openSince ??= second;
    },
    close(second) {
      fill(second);
      openSince = undefined;
    },
    series(second) {
      fill(second);
      const columns: RateSeries = [[], [], []];
      for (let each = second - windowS; each < second; each++) {
        const at = each % size;
        const known = seconds[at] === each && listened[at] === 1;
        columns[0].push(each);
        columns[1].push(known ? updates[at]! : null);
        columns[2].push(known ? matches[at]! : null);
      }
      return columns;
    },
    recent(second, wanted) {
      fill(second);
      let count = 0;
      const sum: RateCounts = { updates: 0, matches: 0 };
      for (let each = second - 1; each >= second - wanted; each--) {
        const at = each % size;
        if (seconds[at] !== each || listened[at] === 0) continue;
        count++;
        sum.updates += updates[at]!;
        sum.matches += matches[at]!;
      }
      return count === 0 ? undefined : { updates: sum.updates / count, matches: sum.matches / count };
    },
  };
}
