/** Numbers that are the same in every run and every process. */
export interface Random {
  /** from 0 up to 1, 1 excluded */
  next(): number;
  /** a whole number from 0 up to `count`, `count` excluded */
  below(count: number): number;
  pick<T>(from: readonly T[]): T;
  isOneIn(count: number): boolean;
  /** one of them, by weight; the weights' sum is 1 */
  pickWeighted<T>(from: readonly (readonly [weight: number, value: T])[]): T;
}

/** mulberry32: 32 bits of state, good enough to make filters of. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (count: number): number => Math.floor(next() * count);
  return {
    next,
    below,
    pick: (from) => from[below(from.length)]!,
    isOneIn: (count) => below(count) === 0,
    pickWeighted(from) {
      let rest = next();
      for (const [weight, value] of from) {
        rest -= weight;
        if (rest < 0) return value;
      }
      return from.at(-1)![1];
    },
  };
}
