import { complementOf } from './code-point-sets.js';
import type { CodePointRange } from './syntax.js';

const DIGIT: CodePointRange[] = [[0x30, 0x39]];
const UPPER: CodePointRange[] = [[0x41, 0x5a]];
const LOWER: CodePointRange[] = [[0x61, 0x7a]];
const ALPHA = [...UPPER, ...LOWER];
const ALNUM = [...DIGIT, ...ALPHA];
export const WORD: CodePointRange[] = [...DIGIT, ...UPPER, [0x5f, 0x5f], ...LOWER];
const SPACE: CodePointRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
const HORIZONTAL: CodePointRange[] = [
  [0x09, 0x09],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x180e, 0x180e],
  [0x2000, 0x200a],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
];
const VERTICAL: CodePointRange[] = [
  [0x0a, 0x0d],
  [0x85, 0x85],
  [0x2028, 0x2029],
];

export const NEWLINE: CodePointRange[] = [[0x0a, 0x0a]];
export const NOT_NEWLINE: CodePointRange[] = complementOf(NEWLINE);

/** The sets that a letter after a backslash names, as PCRE has them without UCP: ASCII, but for `\h` and `\v`. */
export const ESCAPED_SETS: Readonly<Record<string, CodePointRange[]>> = {
  d: DIGIT,
  D: complementOf(DIGIT),
  w: WORD,
  W: complementOf(WORD),
  s: SPACE,
  S: complementOf(SPACE),
  h: HORIZONTAL,
  H: complementOf(HORIZONTAL),
  v: VERTICAL,
  V: complementOf(VERTICAL),
};

/** The sets of `[:name:]`, ASCII. */
export const POSIX_SETS: Readonly<Record<string, CodePointRange[]>> = {
  alpha: ALPHA,
  lower: LOWER,
  upper: UPPER,
  alnum: ALNUM,
  ascii: [[0x00, 0x7f]],
  blank: [
    [0x09, 0x09],
    [0x20, 0x20],
  ],
  cntrl: [
    [0x00, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: DIGIT,
  graph: [[0x21, 0x7e]],
  print: [[0x20, 0x7e]],
  punct: [
    [0x21, 0x2f],
    [0x3a, 0x40],
    [0x5b, 0x60],
    [0x7b, 0x7e],
  ],
  space: SPACE,
  word: WORD,
  xdigit: [
    [0x30, 0x39],
    [0x41, 0x46],
    [0x61, 0x66],
  ],
};

/** General categories that mean the same in PCRE and JavaScript. */
export const CATEGORIES: ReadonlySet<string> = new Set(
  'L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs'.split(' '),
);
