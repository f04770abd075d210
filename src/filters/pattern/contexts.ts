import type { Assertion } from './syntax.js';

/**
 * What is on the two sides of a place in a text, which is all that an assertion asks. A condition on a place is a set of
 * contexts: one bit for each.
 */
export type ContextSet = number;

/** What is before a place. */
export const BEFORE = { start: 0, newline: 1, word: 2, other: 3 } as const;
/** What is after a place; finalNewline: a newline that ends the text. */
export const AFTER = { newline: 0, word: 1, other: 2, finalNewline: 3, end: 4 } as const;
export type Before = (typeof BEFORE)[keyof typeof BEFORE];
export type After = (typeof AFTER)[keyof typeof AFTER];

const BEFORES = Object.values(BEFORE);
const AFTERS = Object.values(AFTER);

export function contextOf(before: Before, after: After): number {
  return before * AFTERS.length + after;
}

export const CONTEXT_COUNT = BEFORES.length * AFTERS.length;
export const ANYWHERE: ContextSet = 2 ** CONTEXT_COUNT - 1;
export const NOWHERE: ContextSet = 0;

/** All places but the start of the text. */
export const NOT_AT_START: ContextSet = placesWhere((before) => before !== BEFORE.start);

function placesWhere(holds: (before: Before, after: After) => boolean): ContextSet {
  let contexts = 0;
  for (const before of BEFORES) {
    for (const after of AFTERS) if (holds(before, after)) contexts |= 1 << contextOf(before, after);
  }
  return contexts;
}

const AT_WORD_EDGE = placesWhere((before, after) => (before === BEFORE.word) !== (after === AFTER.word));

/** Where each assertion holds, as PCRE has them. */
export const CONTEXTS_OF: Readonly<Record<Assertion, ContextSet>> = {
  textStart: placesWhere((before) => before === BEFORE.start),
  lineStart: placesWhere(
    (before, after) => before === BEFORE.start || (before === BEFORE.newline && after !== AFTER.end),
  ),
  textEnd: placesWhere((_, after) => after === AFTER.end || after === AFTER.finalNewline),
  lineEnd: placesWhere((_, after) => after !== AFTER.word && after !== AFTER.other),
  veryEnd: placesWhere((_, after) => after === AFTER.end),
  wordEdge: AT_WORD_EDGE,
  noWordEdge: ANYWHERE & ~AT_WORD_EDGE,
};

/** Which kinds of places some conditions tell from others. */
export interface Distinctions {
  start: boolean;
  /** a newline before or after, not the one that ends the text, from other characters */
  newline: boolean;
  /** a newline that ends the text from other newlines */
  finalNewline: boolean;
  word: boolean;
}

export function distinctionsOf(conditions: readonly ContextSet[]): Distinctions {
  const tellsBefore = (a: Before, b: Before): boolean =>
    conditions.some((where) =>
      AFTERS.some((after) => ((where >> contextOf(a, after)) & 1) !== ((where >> contextOf(b, after)) & 1)),
    );
  const tellsAfter = (a: After, b: After): boolean =>
    conditions.some((where) =>
      BEFORES.some(
        (before) => ((where >> contextOf(before, a)) & 1) !== ((where >> contextOf(before, b)) & 1),
      ),
    );
  return {
    start: tellsBefore(BEFORE.start, BEFORE.other),
    newline: tellsBefore(BEFORE.newline, BEFORE.other) || tellsAfter(AFTER.newline, AFTER.other),
    finalNewline: tellsAfter(AFTER.finalNewline, AFTER.newline),
    word: tellsBefore(BEFORE.word, BEFORE.other) || tellsAfter(AFTER.word, AFTER.other),
  };
}
