import { unionOf } from './code-point-sets.js';
import type { CodePointRange } from './syntax.js';

/** Where letters and other assigned characters are; the planes between and after hold none. */
const PLANES = [0, 1, 2, 3, 14];
const PLANE_SIZE = 0x10000;

/** Only memories of pure functions, so they may be shared: Unicode's data as this JavaScript engine has them. */
const CATEGORY_RANGES = new Map<string, CodePointRange[]>();
let orbits: ReadonlyMap<number, readonly number[]> | undefined;

/** The code points of a general category such as `Lu` or `L`. Some 10 ms for the first use of each, then O(1). */
export function rangesOfCategory(name: string): readonly CodePointRange[] {
  const known = CATEGORY_RANGES.get(name);
  if (known !== undefined) return known;
  const ranges = matchesOf(new RegExp(`\\p{${name}}+`, 'gu')).map((run): CodePointRange => {
    const last = run.charCodeAt(run.length - 1) >> 10 === 0x37 ? run.length - 2 : run.length - 1;
    return [run.codePointAt(0)!, run.codePointAt(last)!];
  });
  const union = unionOf(ranges);
  CATEGORY_RANGES.set(name, union);
  return union;
}

/** All characters that equal one of these but for case, by Unicode's simple case folding, as PCRE has it. */
export function foldCase(ranges: readonly CodePointRange[]): CodePointRange[] {
  const folded = [...ranges];
  if (ranges.every(([, to]) => to < 0x80)) foldAscii(ranges, folded);
  else {
    orbits ??= findOrbits();
    for (const [from, to] of ranges) {
      const cased = to - from < orbits.size ? numbersBetween(from, to) : orbits.keys();
      for (const codePoint of cased) {
        if (codePoint < from || codePoint > to) continue;
        for (const other of orbits.get(codePoint) ?? []) folded.push([other, other]);
      }
    }
  }
  return unionOf(folded);
}

function* numbersBetween(from: number, to: number): Generator<number> {
  for (let number = from; number <= to; number++) yield number;
}

/** Without the table of all cased characters: K and S have a third form each. */
function foldAscii(ranges: readonly CodePointRange[], folded: CodePointRange[]): void {
  const add = (from: number, to: number, shift: number): void => {
    if (from <= to) folded.push([from + shift, to + shift]);
  };
  for (const [from, to] of ranges) {
    add(Math.max(from, 0x41), Math.min(to, 0x5a), 0x20);
    add(Math.max(from, 0x61), Math.min(to, 0x7a), -0x20);
  }
  const holds = (codePoint: number): boolean =>
    folded.some(([from, to]) => from <= codePoint && codePoint <= to);
  if (holds(0x6b)) folded.push([0x212a, 0x212a]);
  if (holds(0x73)) folded.push([0x17f, 0x17f]);
}

/** The characters that are one another's forms, by each of them. */
function findOrbits(): Map<number, number[]> {
  const orbitOf = new Map<number, number[]>();
  const cased = matchesOf(
    /[\p{Changes_When_Casefolded}\p{Changes_When_Lowercased}\p{Changes_When_Uppercased}]/gu,
  );
  for (const char of cased) {
    // Turkic: its upper case is I, but it folds to itself.
    if (char === '\u0131') continue;
    for (const form of [char.toLowerCase(), char.toUpperCase()]) {
      if (form !== char && [...form].length === 1) join(orbitOf, char.codePointAt(0)!, form.codePointAt(0)!);
    }
  }
  return orbitOf;
}

function join(orbitOf: Map<number, number[]>, a: number, b: number): void {
  const ofA = orbitOf.get(a) ?? [a];
  const ofB = orbitOf.get(b) ?? [b];
  if (ofA === ofB) return;
  const orbit = [...ofA, ...ofB];
  for (const member of orbit) orbitOf.set(member, orbit);
}

/** What an expression finds among all characters, in their order. */
function matchesOf(expression: RegExp): string[] {
  const found: string[] = [];
  for (const plane of PLANES) {
    const codePoints: number[] = [];
    for (let i = 0; i < PLANE_SIZE; i++) {
      const codePoint = plane * PLANE_SIZE + i;
      if (codePoint < 0xd800 || codePoint > 0xdfff) codePoints.push(codePoint);
    }
    let text = '';
    for (let i = 0; i < codePoints.length; i += 4096) {
      text += String.fromCodePoint(...codePoints.slice(i, i + 4096));
    }
    for (const match of text.match(expression) ?? []) found.push(match);
  }
  return found;
}
