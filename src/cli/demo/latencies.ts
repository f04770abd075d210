/** Times that were measured, and their percentiles. Memory: 8 bytes each. */
export interface Latencies {
  add(ms: number): void;
  /** of the last `count`, or of all. `share`: 0.5 is the median. Undefined when there are none. O(n log n). */
  percentile(share: number, count?: number): number | undefined;
}

export function createLatencies(): Latencies {
  const all: number[] = [];
  return {
    add: (ms) => void all.push(ms),
    percentile(share, count = all.length) {
      const sorted = Float64Array.from(all.slice(-count)).sort();
      // nearest rank
      return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    },
  };
}
