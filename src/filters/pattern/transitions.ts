import type { ContextSet } from './contexts.js';
import type { Transition } from './positions.js';

/** Transitions that hold in the same contexts, as bit operations. */
export interface TransitionGroup {
  readonly where: ContextSet;
  /** positions after which the next one may be */
  readonly shift: readonly number[];
  /** four numbers each: word and bits of which one must be set, word and bits that are set then */
  readonly narrow: Int32Array;
  /** the same where a side has several words: how many, a pair for each; then the other side */
  readonly wide: Int32Array;
  /** words that `follow` reads or writes at most */
  readonly cost: number;
}

/** Pairs of the index of a word and bits in it, for the positions of a set. */
function bitsOf(positions: readonly number[]): number[] {
  const pairs: number[] = [];
  for (const position of positions) {
    const word = position >> 5;
    if (pairs.at(-2) !== word) pairs.push(word, 0);
    pairs[pairs.length - 1]! |= 1 << (position & 31);
  }
  return pairs;
}

/** O(positions in the transitions). */
export function groupTransitions(transitions: readonly Transition[]): TransitionGroup[] {
  const byContexts = new Map<ContextSet, Transition[]>();
  for (const transition of transitions) {
    const others = byContexts.get(transition.where);
    if (others === undefined) byContexts.set(transition.where, [transition]);
    else others.push(transition);
  }
  return [...byContexts].map(([where, members]) => encode(where, members));
}

function encode(where: ContextSet, transitions: readonly Transition[]): TransitionGroup {
  const shift: number[] = [];
  const narrow: number[] = [];
  const wide: number[] = [];
  for (const { from, to } of transitions) {
    if (from.length === 1 && to.length === 1 && to[0] === from[0]! + 1) {
      shift.push(from[0]!);
      continue;
    }
    const source = bitsOf(from);
    const target = bitsOf(to);
    if (source.length === 2 && target.length === 2) narrow.push(...source, ...target);
    else wide.push(source.length / 2, ...source, target.length / 2, ...target);
  }
  return {
    where,
    shift,
    narrow: Int32Array.from(narrow),
    wide: Int32Array.from(wide),
    cost: (narrow.length + wide.length) / 2,
  };
}

/** Adds to `next` what may follow a state's positions, but for shifts. */
export function follow(
  { narrow, wide }: TransitionGroup,
  states: Int32Array,
  offset: number,
  next: Int32Array,
): void {
  for (let i = 0; i < narrow.length; i += 4) {
    // All ones where a bit is set: which are set is as good as random, and a wrong guess costs more than the operations.
    const some = states[offset + narrow[i]!]! & narrow[i + 1]!;
    next[narrow[i + 2]!]! |= ((some | -some) >> 31) & narrow[i + 3]!;
  }
  for (let i = 0; i < wide.length;) {
    const target = i + 1 + 2 * wide[i]!;
    const end = target + 1 + 2 * wide[target]!;
    let some = 0;
    for (let source = i + 1; source < target; source += 2) {
      some |= states[offset + wide[source]!]! & wide[source + 1]!;
    }
    if (some !== 0) for (let to = target + 1; to < end; to += 2) next[wide[to]!]! |= wide[to + 1]!;
    i = end;
  }
}

/** A set of positions in full words. */
export function wordsOf(positions: readonly number[], words: number): Int32Array {
  const bits = new Int32Array(words);
  for (const position of positions) bits[position >> 5]! |= 1 << (position & 31);
  return bits;
}
