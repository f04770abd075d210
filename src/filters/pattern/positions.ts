import { rangesOf } from './character-classes.js';
import { unionOf } from './code-point-sets.js';
import { ANYWHERE, CONTEXTS_OF, NOWHERE, type ContextSet } from './contexts.js';
import type { CodePointRange, PatternNode } from './syntax.js';

/** Positions under a condition on the place before them, or after them. Ascending. */
export interface PlacedPositions {
  readonly where: ContextSet;
  readonly positions: readonly number[];
}

/** After any of `from` each of `to` may be next, where the place between them allows it. */
export interface Transition {
  readonly where: ContextSet;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/**
 * The position automaton of a pattern: one state for each character or class in it, repetitions written out
 * (V. M. Glushkov, "The abstract theory of automata", 1961). It has no empty moves; what assertions ask is a condition
 * on a transition.
 */
export interface PositionAutomaton {
  /** what each position takes: an index into `sets` */
  readonly setOf: readonly number[];
  /** sorted and apart */
  readonly sets: readonly (readonly CodePointRange[])[];
  readonly first: readonly PlacedPositions[];
  readonly last: readonly PlacedPositions[];
  /** where the empty text matches */
  readonly empty: ContextSet;
  readonly transitions: readonly Transition[];
}

/** A part of a pattern. */
interface Piece {
  readonly first: readonly PlacedPositions[];
  readonly last: readonly PlacedPositions[];
  readonly empty: ContextSet;
}

const EMPTY: Piece = { first: [], last: [], empty: ANYWHERE };

/** Size of the automaton is O(n log n) but for nested groups, where each level adds its own transitions. */
export function positionsOf(root: PatternNode): PositionAutomaton {
  const setOf: number[] = [];
  const sets: CodePointRange[][] = [];
  const indexOfSet = new Map<string, number>();
  const setOfNode = new Map<PatternNode, number>();
  const transitions: Transition[] = [];

  function build(node: PatternNode): Piece {
    switch (node.kind) {
      case 'literal':
      case 'class':
        return character(internSet(node));
      case 'assertion':
        return { first: [], last: [], empty: CONTEXTS_OF[node.assertion] };
      case 'sequence':
        return inSequence(node.items.length, (i) => build(node.items[i]!));
      case 'alternation':
        return alternation(node.branches);
      case 'repeat':
        return repeat(node);
    }
  }

  function character(set: number): Piece {
    const placed = [{ where: ANYWHERE, positions: [setOf.push(set) - 1] }];
    return { first: placed, last: placed, empty: NOWHERE };
  }

  function internSet(node: PatternNode & { kind: 'literal' | 'class' }): number {
    const known = setOfNode.get(node);
    if (known !== undefined) return known;
    const set =
      node.kind === 'class'
        ? node.set
        : {
            negated: false,
            folding: [[node.codePoint, node.codePoint] as const],
            exact: [],
            categories: [],
          };
    const index = intern(rangesOf(set, node.ignoresCase));
    setOfNode.set(node, index);
    return index;
  }

  function intern(ranges: CodePointRange[]): number {
    const name = ranges.join();
    let index = indexOfSet.get(name);
    if (index === undefined) indexOfSet.set(name, (index = sets.push(ranges) - 1));
    return index;
  }

  /** Branches of one character each are one position. */
  function alternation(branches: readonly PatternNode[]): Piece {
    const pieces: Piece[] = [];
    const ranges: CodePointRange[] = [];
    for (const branch of branches.map(unwrap)) {
      if (branch.kind === 'literal' || branch.kind === 'class') ranges.push(...sets[internSet(branch)]!);
      else pieces.push(build(branch));
    }
    if (ranges.length > 0) pieces.push(character(intern(unionOf(ranges))));
    return {
      first: unionOfAll(pieces.map(({ first }) => first)),
      last: unionOfAll(pieces.map(({ last }) => last)),
      empty: pieces.reduce((places, { empty }) => places | empty, NOWHERE),
    };
  }

  /** Halves, not one after the other: items that may be empty would make each transition as long as all before it. */
  function inSequence(count: number, part: (index: number) => Piece): Piece {
    const between = (from: number, to: number): Piece => {
      if (to === from) return EMPTY;
      if (to === from + 1) return part(from);
      const middle = (from + to) >> 1;
      const a = between(from, middle);
      const b = between(middle, to);
      connect(a.last, b.first);
      return {
        first: union(a.first, allowed(b.first, a.empty)),
        last: union(allowed(a.last, b.empty), b.last),
        empty: a.empty & b.empty,
      };
    };
    return between(0, count);
  }

  /** An item that may be empty everywhere need not be there; where it may be empty at some places, each copy may. */
  function repeat({ item, min, max }: PatternNode & { kind: 'repeat' }): Piece {
    if (max === 0) return EMPTY;
    const inner = unwrap(item);
    if (inner.kind === 'repeat' && max === Infinity && inner.max === Infinity && min <= 1 && inner.min <= 1) {
      return repeat({ ...inner, min: Math.min(min, inner.min) });
    }
    const copies = max === Infinity ? Math.max(min, 1) : max;
    const needed: Piece[] = [];
    let some: Piece | undefined;
    let lasts: (readonly PlacedPositions[])[] = [];
    let previous = EMPTY;
    for (let copy = 0; copy < copies; copy++) {
      const piece = build(item);
      if (copy === copies - 1 && max === Infinity) connect(piece.last, piece.first);
      if (copy < min && piece.empty !== NOWHERE && piece.empty !== ANYWHERE) {
        needed.push(piece);
        continue;
      }
      // Not empty, and only after the copy before it: then no transition skips one.
      connect(previous.last, piece.first);
      const isOptional = copy >= min || piece.empty === ANYWHERE;
      if (!isOptional) lasts = [];
      lasts.push(piece.last);
      some ??= piece;
      previous = piece;
    }
    const parts = needed;
    if (some !== undefined) {
      const empty = min === 0 || needed.length > 0 ? ANYWHERE : some.empty;
      parts.push({ first: some.first, last: unionOfAll(lasts), empty });
    }
    return inSequence(parts.length, (i) => parts[i]!);
  }

  function connect(last: readonly PlacedPositions[], first: readonly PlacedPositions[]): void {
    for (const from of last) {
      for (const to of first) {
        const where = from.where & to.where;
        if (where !== NOWHERE) transitions.push({ where, from: from.positions, to: to.positions });
      }
    }
  }

  const { first, last, empty } = build(root);
  return { setOf, sets, first, last, empty, transitions };
}

/** What is in groups that hold nothing else. */
function unwrap(node: PatternNode): PatternNode {
  return node.kind === 'sequence' && node.items.length === 1 ? unwrap(node.items[0]!) : node;
}

function allowed(placed: readonly PlacedPositions[], where: ContextSet): readonly PlacedPositions[] {
  if (where === ANYWHERE) return placed;
  return placed
    .map((each) => ({ where: each.where & where, positions: each.positions }))
    .filter((each) => each.where !== NOWHERE);
}

function union(a: readonly PlacedPositions[], b: readonly PlacedPositions[]): readonly PlacedPositions[] {
  if (a.length === 0) return b;
  return b.length === 0 ? a : unionOfAll([a, b]);
}

/** O(positions), where the parts are in order, as those of a sequence are. */
function unionOfAll(parts: readonly (readonly PlacedPositions[])[]): readonly PlacedPositions[] {
  if (parts.length === 1) return parts[0]!;
  const byPlace = new Map<ContextSet, number[]>();
  for (const part of parts) {
    for (const { where, positions } of part) {
      const others = byPlace.get(where);
      if (others === undefined) byPlace.set(where, [...positions]);
      else for (const position of positions) others.push(position);
    }
  }
  return [...byPlace].map(([where, positions]) => ({ where, positions: inOrder(positions) }));
}

function inOrder(positions: number[]): number[] {
  if (positions.every((position, i) => i === 0 || positions[i - 1]! < position)) return positions;
  return [...new Set(positions)].sort((a, b) => a - b);
}
