/** What a pattern means, whatever the engine: the part of PCRE that is accepted, parsed. */
export type PatternNode =
  | { kind: 'literal'; codePoint: number; ignoresCase: boolean }
  | { kind: 'class'; set: CharacterSet; ignoresCase: boolean }
  | { kind: 'assertion'; assertion: Assertion }
  | { kind: 'sequence'; items: PatternNode[] }
  | { kind: 'alternation'; branches: PatternNode[] }
  | { kind: 'repeat'; item: PatternNode; min: number; max: number };

/** lineStart and lineEnd are `^` and `$` under m; textEnd is `$` without m, and `\Z`. */
export type Assertion =
  'textStart' | 'lineStart' | 'textEnd' | 'lineEnd' | 'veryEnd' | 'wordEdge' | 'noWordEdge';

/** Inclusive code points. */
export type CodePointRange = readonly [from: number, to: number];

export interface CharacterSet {
  negated: boolean;
  /** follow case when the pattern ignores it */
  folding: CodePointRange[];
  /** never follow case: PCRE's `\w` and `[:alpha:]` are ASCII, whatever the options */
  exact: CodePointRange[];
  /** Unicode general categories, `\p{L}` and `\P{L}`; never follow case */
  categories: string[];
}

/** A pattern that can't be accepted; `message` says why and what to do. */
export class PatternFault extends Error {}

export interface PatternOptions {
  /** i */
  ignoresCase: boolean;
  /** m */
  multiline: boolean;
  /** s */
  dotAll: boolean;
  /** x */
  extended: boolean;
}

export const MAX_CODE_POINT = 0x10ffff;
/** Of one repetition; what they multiply to is bounded by what they cost. */
export const MAX_REPEAT = 1000;
