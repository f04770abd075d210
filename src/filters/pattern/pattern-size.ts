import { ANYWHERE, CONTEXTS_OF, NOWHERE, type ContextSet } from './contexts.js';
import type { PatternNode } from './syntax.js';

/** How large the automaton of a pattern is at most, without making it. */
export interface PatternSize {
  /** characters and classes, repetitions written out */
  readonly positions: number;
  readonly transitions: number;
  /** places where one part follows another */
  readonly seams: number;
}

/** A part, with the conditions that its positions may be under where others follow, but not the positions. */
interface Part extends PatternSize {
  readonly first: ReadonlySet<ContextSet>;
  readonly last: ReadonlySet<ContextSet>;
  readonly empty: ContextSet;
}

const NONE: ReadonlySet<ContextSet> = new Set();
const ONE: ReadonlySet<ContextSet> = new Set([ANYWHERE]);
const EMPTY: Part = { positions: 0, transitions: 0, seams: 0, first: NONE, last: NONE, empty: ANYWHERE };

/** O(size of the pattern as it is written x kinds of conditions, which are few). */
export function sizeOf(node: PatternNode): Part {
  switch (node.kind) {
    case 'literal':
    case 'class':
      return { ...EMPTY, positions: 1, first: ONE, last: ONE, empty: NOWHERE };
    case 'assertion':
      return { ...EMPTY, empty: CONTEXTS_OF[node.assertion] };
    case 'sequence':
      return inSequence(node.items.map(sizeOf));
    case 'alternation':
      return node.branches.map(sizeOf).reduce((a, b) => ({
        positions: a.positions + b.positions,
        transitions: a.transitions + b.transitions,
        seams: a.seams + b.seams,
        first: new Set([...a.first, ...b.first]),
        last: new Set([...a.last, ...b.last]),
        empty: a.empty | b.empty,
      }));
    case 'repeat':
      return repeated(sizeOf(node.item), node.min, node.max);
  }
}

function inSequence(parts: readonly Part[]): Part {
  const firsts: ReadonlySet<ContextSet>[] = [];
  let first = NONE;
  for (const part of [...parts].reverse()) firsts.push((first = joined(part.first, first, part.empty)));
  firsts.reverse();
  let whole = { positions: 0, transitions: 0, seams: 0, empty: ANYWHERE };
  let last = NONE;
  parts.forEach((part, i) => {
    whole = {
      positions: whole.positions + part.positions,
      transitions: whole.transitions + part.transitions + last.size * firsts[i]!.size,
      seams: whole.seams + part.seams + (i === 0 ? 0 : 1),
      empty: whole.empty & part.empty,
    };
    last = joined(part.last, last, part.empty);
  });
  return { ...whole, first, last };
}

function repeated(item: Part, min: number, max: number): Part {
  if (max === 0) return EMPTY;
  const copies = max === Infinity ? Math.max(min, 1) : max;
  // A copy may be empty where the item may: what is in the copy before or after is seen through it.
  const first = joined(item.first, item.first, item.empty);
  const last = joined(item.last, item.last, item.empty);
  return {
    positions: copies * item.positions,
    // One more for the way back from the last copy, and one for the optional ones after those that are needed.
    transitions: copies * item.transitions + (copies + 1) * first.size * last.size,
    seams: copies * (item.seams + 1),
    first,
    last,
    empty: min === 0 ? ANYWHERE : item.empty,
  };
}

/** The conditions of a part's positions, and of those beyond it where it may be empty. */
function joined(
  near: ReadonlySet<ContextSet>,
  beyond: ReadonlySet<ContextSet>,
  empty: ContextSet,
): ReadonlySet<ContextSet> {
  const all = new Set(near);
  for (const where of beyond) if ((where & empty) !== NOWHERE) all.add(where & empty);
  return all;
}
