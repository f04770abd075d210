import {
  isZeroWidth,
  MAX_CODE_POINT,
  minLengthOf,
  PatternFault,
  type CharacterSet,
  type CodePointRange,
  type PatternNode,
} from './syntax.js';

/**
 * Writes a pattern for RE2 such that it finds a match where PCRE finds one. Options are resolved: what is written
 * means the same whatever RE2's flags. `.`, `\s` and the rest are spelled out, for the engines differ in them.
 * @throws PatternFault for anchors that RE2 can't express in their place
 */
export function translate(node: PatternNode): string {
  return write(node, { lengthAfter: 0, nothingFollows: true });
}

/** What comes after a node in the whole pattern. */
interface Surroundings {
  /** the fewest characters that follow */
  lengthAfter: number;
  /** nothing that takes a character can follow */
  nothingFollows: boolean;
}

function write(node: PatternNode, around: Surroundings): string {
  switch (node.kind) {
    case 'literal':
      return inCase(escapeCodePoint(node.codePoint), node.ignoresCase);
    case 'class':
      return writeClass(node.set, node.ignoresCase);
    case 'assertion':
      return writeAssertion(node, around);
    case 'alternation':
      return `(?:${node.branches.map((branch) => write(branch, around)).join('|')})`;
    case 'sequence':
      return `(?:${writeSequence(node.items, around)})`;
    case 'repeat': {
      if (node.max === 0) return '(?:)';
      const once = node.max === 1;
      const item = write(
        node.item,
        once ? around : { lengthAfter: around.lengthAfter, nothingFollows: false },
      );
      return `(?:${item})${quantifierOf(node.min, node.max)}`;
    }
  }
}

function writeSequence(items: readonly PatternNode[], around: Surroundings): string {
  const texts: string[] = [];
  let { lengthAfter, nothingFollows } = around;
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i]!;
    texts.push(write(item, { lengthAfter, nothingFollows }));
    lengthAfter += minLengthOf(item);
    nothingFollows &&= isZeroWidth(item);
  }
  return texts.reverse().join('');
}

function quantifierOf(min: number, max: number): string {
  if (max === Infinity) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  if (min === 0 && max === 1) return '?';
  return min === max ? `{${min}}` : `{${min},${max}}`;
}

function writeAssertion(node: PatternNode & { kind: 'assertion' }, around: Surroundings): string {
  switch (node.assertion) {
    case 'textStart':
      return '\\A';
    case 'veryEnd':
      return '\\z';
    case 'wordEdge':
      return '\\b';
    case 'noWordEdge':
      return '\\B';
    case 'lineEnd':
      return '(?m:$)';
    case 'lineStart':
      // PCRE's ^ does not match after a newline that ends the text, RE2's does: the same if a character must follow.
      if (around.lengthAfter > 0) return '(?m:^)';
      throw new PatternFault('^ under m is supported only where at least one character must follow it');
    case 'textEnd':
      // PCRE's $ also matches before a newline that ends the text; taking that newline is the same at the very end.
      if (around.nothingFollows) return '\\n?\\z';
      throw new PatternFault(
        '$ (without m) and \\Z are supported only at the end of the pattern or of an alternative',
      );
  }
}

function writeClass(set: CharacterSet, ignoresCase: boolean): string {
  const { negated, folding, exact, categories } = set;
  if (!ignoresCase) return bracket([...folding, ...exact], categories, negated);
  if (exact.length === 0 && categories.length === 0) return inCase(bracket(folding, [], negated), true);
  if (folding.length === 0) return bracket(exact, categories, negated);
  if (!negated) {
    return `(?:${bracket(exact, categories, false)}|${inCase(bracket(folding, [], false), true)})`;
  }
  if (folding.some(([, to]) => to > 0x7f)) {
    throw new PatternFault(
      "a negated class that ignores case can't have both sets such as \\w and characters beyond ASCII",
    );
  }
  return bracket([...foldAscii(folding), ...exact], categories, true);
}

/** All characters that equal one of these but for case. K and S have a third form each. */
function foldAscii(ranges: readonly CodePointRange[]): CodePointRange[] {
  const folded = [...ranges];
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
  return folded;
}

function bracket(ranges: readonly CodePointRange[], categories: readonly string[], negated: boolean): string {
  if (categories.length === 0) {
    if (ranges.length === 0)
      return negated ? bracket([[0, MAX_CODE_POINT]], [], false) : '[^\\x{0}-\\x{10FFFF}]';
  }
  const members = ranges.map(([from, to]) => (from === to ? hexOf(from) : `${hexOf(from)}-${hexOf(to)}`));
  return `[${negated ? '^' : ''}${members.join('')}${categories.join('')}]`;
}

function inCase(text: string, ignoresCase: boolean): string {
  return ignoresCase ? `(?i:${text})` : text;
}

function escapeCodePoint(codePoint: number): string {
  const char = String.fromCodePoint(codePoint);
  return /^[A-Za-z0-9 _-]$/.test(char) ? char : hexOf(codePoint);
}

function hexOf(codePoint: number): string {
  return `\\x{${codePoint.toString(16).toUpperCase()}}`;
}
