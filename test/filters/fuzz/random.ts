/** Random choices that a seed repeats. Quick: a million documents need some hundred million of them. */
export interface Random {
  /** a whole number from 0 to below `end` */
  below(end: number): number;
  /** true in `percent` of a hundred cases */
  chance(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** `count` values, or a random number of them up to `count` with `atLeast` given */
  list<T>(make: () => T, count: number, atLeast?: number): T[];
  /** one of the makers, each as often as its weight says */
  weighted<T>(makers: readonly (readonly [weight: number, make: () => T])[]): T;
}

/** splitmix32; neighbouring seeds have nothing in common. */
export function randomOf(seed: number): Random {
  let state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995;

  function below(end: number): number {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return Math.floor(((mixed >>> 0) / 2 ** 32) * end);
  }

  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (list) => list[below(list.length)]!,
    list: (make, count, atLeast = count) =>
      Array.from({ length: atLeast + below(count - atLeast + 1) }, () => make()),
    weighted(makers) {
      let left = below(makers.reduce((sum, [weight]) => sum + weight, 0));
      for (const [weight, make] of makers) {
        left -= weight;
        if (left < 0) return make();
      }
      throw new Error('no maker has a weight');
    },
  };
}
