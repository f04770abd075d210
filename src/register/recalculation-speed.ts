/** How fast something goes on, of late. */
export interface Speed {
  observe(done: number, atMs: number): void;
  /** How much a second; undefined while that is not known, or nothing is done. */
  perSecond(): number | undefined;
}

/** What it is measured over: long enough to be steady, short enough to follow a load that comes or goes. */
const OVER_MS = 10_000;
const AT_LEAST_MS = 1000;
const SAMPLE_EVERY_MS = 250;

export function createSpeed(): Speed {
  const samples: { done: number; atMs: number }[] = [];

  return {
    observe(done, atMs) {
      // another pass has begun
      if (samples.length > 0 && done < samples.at(-1)!.done) samples.length = 0;
      if (samples.length > 1 && atMs - samples.at(-2)!.atMs < SAMPLE_EVERY_MS) samples.pop();
      samples.push({ done, atMs });
      while (samples.length > 2 && atMs - samples[1]!.atMs > OVER_MS) samples.shift();
    },
    perSecond() {
      const [first, last] = [samples[0], samples.at(-1)];
      if (first === undefined || last === undefined || last.atMs - first.atMs < AT_LEAST_MS) return undefined;
      const perMs = (last.done - first.done) / (last.atMs - first.atMs);
      return perMs > 0 ? perMs * 1000 : undefined;
    },
  };
}
