import type { Image } from './image.js';
import { GO_FALSE, LeafWords, QueryRecord } from './layout.js';
import type { Leaves } from './programs.js';

export function leafAt(record: number, at: number): number {
  return record + QueryRecord.firstLeaf + at * LeafWords.words;
}

/** Leaves that are looked at on either side of one, so that a query of thousands takes no time in the square of them. */
const MOST_LOOKED_AT = 32;

/**
 * For each leaf of a query, another one without which it does not matter whether this one holds, the least likely of
 * those near it; 0: none. O(leaves).
 *
 * A later leaf is one when nothing but leaves that fail to the same end are in between: when it does not hold, all come to
 * that end, whatever this one says. An earlier leaf is one when this one is reached only if it holds.
 */
export function guardsOf(image: Image, leaves: Leaves, record: number): number[] {
  const { i32 } = image;
  const count = i32[record + QueryRecord.leaves]!;
  const chances: (number | undefined)[] = [];
  const targets: [whenTrue: number, whenFalse: number][] = [];
  const arrivals = new Uint16Array(count + 1);
  for (let i = 0; i < count; i++) {
    const leaf = leafAt(record, i);
    const next = i32[leaf + LeafWords.next]!;
    targets.push([next >>> 16, next & 0xffff]);
    chances.push(leaves.chanceOf(leaf));
    for (const target of targets[i]!) if (target < GO_FALSE) arrivals[target]!++;
  }

  /** Where it goes on other than to the next leaf; undefined: it does not go on to that. */
  const endOf = (i: number): number | undefined => {
    const [whenTrue, whenFalse] = targets[i]!;
    if (i + 1 === count) return undefined;
    if (whenTrue === i + 1) return whenFalse;
    return whenFalse === i + 1 ? whenTrue : undefined;
  };
  const better = (found: number, i: number): number => {
    const chance = chances[i];
    if (chance === undefined) return found;
    return found === -1 || chance < chances[found]! ? i : found;
  };

  return chances.map((_, leaf) => {
    let found = -1;
    const end = endOf(leaf);
    for (let i = leaf; end !== undefined && i < leaf + MOST_LOOKED_AT && endOf(i) === end; i++) {
      if (targets[i + 1]![1] === end) found = better(found, i + 1);
    }
    const first = Math.max(leaf - MOST_LOOKED_AT, 0);
    for (let i = leaf - 1; i >= first && endOf(i) !== undefined && arrivals[i + 1] === 1; i--) {
      if (targets[i]![0] === i + 1) found = better(found, i);
    }
    return found === -1 ? 0 : leafAt(record, found);
  });
}
