import { complementOf, unionOf } from './code-point-sets.js';
import { MAX_CODE_POINT, type CharacterSet, type CodePointRange } from './syntax.js';
import { foldCase, rangesOfCategory } from './unicode.js';

/** The code points that a bracket expression or an escape takes; sorted and apart. */
export function rangesOf(set: CharacterSet, ignoresCase: boolean): CodePointRange[] {
  const ranges = [...(ignoresCase ? foldCase(set.folding) : set.folding), ...set.exact];
  for (const category of set.categories) {
    // As the parser writes them: \p{Lu} or \P{Lu}.
    const members = rangesOfCategory(category.slice(3, -1));
    for (const range of category[1] === 'P' ? complementOf(members) : members) ranges.push(range);
  }
  const union = unionOf(ranges);
  return set.negated ? complementOf(union) : union;
}

/** Code points in classes such that each of some sets holds all of a class or nothing of it. */
export interface CharacterClasses {
  readonly count: number;
  /** of code points up to 0xff */
  readonly ofLatin: Uint16Array;
  classOf(codePoint: number): number;
  /** the classes of each set, ascending, in the order of the sets */
  readonly ofSet: readonly (readonly number[])[];
}

/** Splits all code points by the sets, each sorted and apart. O(ranges x log(ranges)). */
export function classify(sets: readonly (readonly CodePointRange[])[]): CharacterClasses {
  const edges = new Set<number>([0]);
  for (const set of sets) {
    for (const [from, to] of set) {
      edges.add(from);
      if (to < MAX_CODE_POINT) edges.add(to + 1);
    }
  }
  const starts = Int32Array.from(edges).sort();
  // Each set splits what was one class before into what it holds and what it does not.
  const classes = new Uint16Array(starts.length);
  const sizes = [starts.length];
  const membersOf = (set: readonly CodePointRange[]): number[] => {
    const members: number[] = [];
    for (const [from, to] of set) {
      for (let i = indexOf(starts, from); i < starts.length && starts[i]! <= to; i++) members.push(i);
    }
    return members;
  };
  for (const set of sets) {
    const members = membersOf(set);
    const taken = new Map<number, number>();
    for (const i of members) taken.set(classes[i]!, (taken.get(classes[i]!) ?? 0) + 1);
    const splitOf = new Map<number, number>();
    for (const i of members) {
      const former = classes[i]!;
      const size = taken.get(former)!;
      let split = splitOf.get(former);
      if (split === undefined) {
        if (size === sizes[former]) continue;
        split = sizes.push(size) - 1;
        sizes[former]! -= size;
        splitOf.set(former, split);
      }
      classes[i] = split;
    }
  }
  const classOf = (codePoint: number): number => classes[indexOf(starts, codePoint)]!;
  const ofLatin = new Uint16Array(256);
  for (let i = 0; i < 256; i++) ofLatin[i] = classOf(i);
  const ofSet = sets.map((set) => [...new Set(membersOf(set).map((i) => classes[i]!))].sort((a, b) => a - b));
  return { count: sizes.length, ofLatin, classOf, ofSet };
}

/** The last start that is not greater. */
function indexOf(starts: Int32Array, codePoint: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= codePoint) low = middle;
    else high = middle - 1;
  }
  return low;
}
