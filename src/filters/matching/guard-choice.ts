import { CHANCE_OF_BOUND } from './chances.js';
import { type Guard, NO_GUARD } from './guards.js';
import type { Image } from './image.js';
import { GO_FALSE, LeafKind, LeafWords, OpaqueRecord, QueryRecord, TraitRecord } from './layout.js';
import type { Leaves } from './programs.js';

export function leafAt(record: number, at: number): number {
  return record + QueryRecord.firstLeaf + at * LeafWords.words;
}

/** Leaves that are looked at on either side of one, so that a query of thousands takes no time in the square of them. */
const MOST_LOOKED_AT = 32;

/**
 * For each leaf of a query, what else must hold for it to matter whether this one does: the least likely of such leaves
 * near it, or both sides of a range. O(leaves).
 *
 * A later leaf is one when nothing but leaves that fail to the same end are in between: when it does not hold, all come to
 * that end, whatever this one says. An earlier leaf is one when this one is reached only if it holds.
 */
export function guardsOf(image: Image, leaves: Leaves, record: number): Guard[] {
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

  return chances.map((_, leaf) => {
    const needed: number[] = [];
    const end = endOf(leaf);
    for (let i = leaf; end !== undefined && i < leaf + MOST_LOOKED_AT && endOf(i) === end; i++) {
      if (targets[i + 1]![1] === end) needed.push(i + 1);
    }
    const first = Math.max(leaf - MOST_LOOKED_AT, 0);
    for (let i = leaf - 1; i >= first && endOf(i) !== undefined && arrivals[i + 1] === 1; i--) {
      if (targets[i]![0] === i + 1) needed.push(i);
    }
    return leastLikely(image, record, needed, chances);
  });
}

function leastLikely(
  image: Image,
  record: number,
  needed: readonly number[],
  chances: readonly (number | undefined)[],
): Guard {
  let least = Infinity;
  let best = NO_GUARD;
  for (const i of needed) {
    const chance = chances[i];
    if (chance === undefined || chance >= least) continue;
    least = chance;
    best = guardOf(image, leafAt(record, i));
  }
  if (least <= CHANCE_OF_BOUND ** 2) return best;
  for (const i of needed) {
    const from = leafAt(record, i);
    const what = image.i32[from + LeafWords.what]!;
    if ((what & 15) !== LeafKind.fromNumber) continue;
    const below = needed
      .map((other) => leafAt(record, other))
      .find((leaf) => image.i32[leaf + LeafWords.what] === (what & ~15) + LeafKind.belowNumber);
    if (below !== undefined) return rangeOf(image, from, below);
  }
  return best;
}

/** Of an evaluated condition the one trait that it needs. */
function guardOf({ i32 }: Image, leaf: number): Guard {
  const what = i32[leaf + LeafWords.what]!;
  const operand = i32[leaf + LeafWords.operand]!;
  if ((what & 15) !== LeafKind.evaluated) return { what, operand, more: i32[leaf + LeafWords.operand + 1]! };
  const need = -i32[operand + OpaqueRecord.needs]!;
  return { what: LeafKind.trait | (i32[need + TraitRecord.what]! & ~15), operand: need, more: 0 };
}

function rangeOf({ i32, f64 }: Image, from: number, below: number): Guard {
  const low = floatUpTo(f64[(from + LeafWords.operand) >> 1]!);
  const high = -floatUpTo(-f64[(below + LeafWords.operand) >> 1]!);
  FLOATS.set([low, high]);
  const place = i32[from + LeafWords.what]! & ~15;
  return { what: LeafKind.betweenNumbers | place, operand: WORDS[0]!, more: WORDS[1]! };
}

const FLOATS = new Float32Array(2);
const WORDS = new Int32Array(FLOATS.buffer);

/** The greatest float that is not above a number. */
function floatUpTo(number: number): number {
  FLOATS[0] = number;
  if (FLOATS[0] <= number) return FLOATS[0];
  // the next float below: of floats as whole numbers, zero apart, the order is that of their magnitudes
  if (FLOATS[0] === 0) return -(2 ** -149);
  WORDS[0]! += FLOATS[0] > 0 ? -1 : 1;
  return FLOATS[0];
}

/** Traits that may be the guard of a leaf. O(leaves near it). */
export function guardTraitsNear(image: Image, record: number, at: number, reach = MOST_LOOKED_AT): number[] {
  const traits: number[] = [];
  const end = Math.min(at + reach + 1, image.i32[record + QueryRecord.leaves]!);
  for (let i = Math.max(at - reach, 0); i < end; i++) {
    const leaf = leafAt(record, i);
    const kind = image.i32[leaf + LeafWords.what]! & 15;
    const operand = image.i32[leaf + LeafWords.operand]!;
    if (kind === LeafKind.trait) traits.push(operand);
    else if (kind === LeafKind.evaluated && image.i32[operand + OpaqueRecord.needs]! < 0)
      traits.push(-image.i32[operand + OpaqueRecord.needs]!);
  }
  return traits;
}
