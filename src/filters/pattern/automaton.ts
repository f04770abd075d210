import { classify, type CharacterClasses } from './character-classes.js';
import {
  AFTER,
  BEFORE,
  CONTEXT_COUNT,
  contextOf,
  distinctionsOf,
  NOT_AT_START,
  type After,
  type Before,
  type Distinctions,
} from './contexts.js';
import { NEWLINE, WORD } from './named-sets.js';
import type { PlacedPositions, PositionAutomaton } from './positions.js';
import { follow, groupTransitions, wordsOf, type TransitionGroup } from './transitions.js';

export const MATCH = -1;
export const DEAD = -2;

/** Of an automaton without what grows with the pattern; measured. */
const OWN_BYTES = 6000;

/**
 * A pattern as bit operations. A state is the set of positions that may have taken the last character, one bit each. A
 * step from state to state is at most `stepCost` operations on words, whatever the text: a shift for positions that
 * follow one another, and a test for each other transition (as in G. Navarro and M. Raffinot, "Flexible Pattern Matching
 * in Strings", 2002, chapter 5).
 */
export interface Automaton {
  /** 32-bit words of a state */
  readonly words: number;
  readonly classes: CharacterClasses;
  /** the symbol of a newline that ends the text, where it differs from others; the symbols before it are the classes */
  readonly finalNewline: number;
  readonly tellsFinalNewline: boolean;
  /** the symbol of the end of the text; the last one */
  readonly end: number;
  readonly start: Before;
  /** what is before the place after each symbol, as far as the pattern asks */
  readonly before: Uint8Array;
  /** words that a step reads or writes at most */
  readonly stepCost: number;
  /** bytes */
  readonly size: number;
  /**
   * Writes the state after a symbol to `next`.
   * @returns MATCH: there was a match before the symbol; DEAD: there will be none; 0: neither
   */
  step(states: Int32Array, offset: number, before: Before, symbol: number, next: Int32Array): number;
}

/** What holds at one kind of place. */
interface Context {
  readonly isEmptyMatch: boolean;
  readonly initial: Int32Array;
  readonly accepting: Int32Array;
  /** positions after which the next one may be */
  readonly shift: Int32Array;
  readonly groups: readonly TransitionGroup[];
}

/** O(size of the transitions + classes x words). */
export function createAutomaton(positions: PositionAutomaton): Automaton {
  const words = Math.max((positions.setOf.length + 31) >> 5, 1);
  const told = distinctionsOf(placesOf(positions));
  const classes = classify([
    ...positions.sets,
    ...(told.newline || told.finalNewline ? [NEWLINE] : []),
    ...(told.word ? [WORD] : []),
  ]);
  const masks = masksOf(positions, classes, words);
  const groups = groupTransitions(positions.transitions);
  const contexts = contextsOf(positions, groups, words);
  const { before, after } = surroundingsOf(classes, told);
  const end = classes.count + 1;
  const newlineMask = classes.ofLatin[0x0a]! * words;
  const canRestart = [positions.empty, ...positions.first.map(({ where }) => where)].some(
    (where) => (where & NOT_AT_START) !== 0,
  );

  function step(
    states: Int32Array,
    offset: number,
    previous: Before,
    symbol: number,
    next: Int32Array,
  ): number {
    const context = contexts[contextOf(previous, after[symbol] as After)]!;
    if (context.isEmptyMatch) return MATCH;
    const { initial, accepting, shift } = context;
    let accepted = 0;
    let carry = 0;
    for (let word = 0; word < words; word++) {
      const state = states[offset + word]!;
      accepted |= state & accepting[word]!;
      const moved = state & shift[word]!;
      next[word] = initial[word]! | (moved << 1) | carry;
      carry = moved >>> 31;
    }
    if (accepted !== 0) return MATCH;
    if (symbol === end) return DEAD;
    for (const group of context.groups) follow(group, states, offset, next);
    const mask = symbol === classes.count ? newlineMask : symbol * words;
    let some = 0;
    for (let word = 0; word < words; word++) some |= next[word]! &= masks[mask + word]!;
    return some === 0 && !canRestart ? DEAD : 0;
  }

  const transitionCost = groups.reduce((sum, group) => sum + group.cost, 0);
  return {
    words,
    classes,
    finalNewline: classes.count,
    tellsFinalNewline: told.finalNewline,
    end,
    start: told.start ? BEFORE.start : BEFORE.other,
    before,
    stepCost: transitionCost + 3 * words,
    size: OWN_BYTES + 8 * transitionCost + masks.byteLength + 12 * words * contexts.length,
    step,
  };
}

function placesOf({ first, last, empty, transitions }: PositionAutomaton): number[] {
  return [empty, ...[...first, ...last, ...transitions].map(({ where }) => where)];
}

/** For each class the positions that take it. */
function masksOf({ setOf, sets }: PositionAutomaton, classes: CharacterClasses, words: number): Int32Array {
  const masks = new Int32Array(classes.count * words);
  const positionsOfSet = sets.map((): number[] => []);
  setOf.forEach((set, position) => positionsOfSet[set]!.push(position));
  positionsOfSet.forEach((positions, set) => {
    for (const each of classes.ofSet[set]!) {
      for (const position of positions) masks[each * words + (position >> 5)]! |= 1 << (position & 31);
    }
  });
  return masks;
}

function contextsOf(
  { first, last, empty }: PositionAutomaton,
  groups: readonly TransitionGroup[],
  words: number,
): Context[] {
  const wordsWhere = (placed: readonly PlacedPositions[], context: number): Int32Array =>
    wordsOf(
      placed.filter(({ where }) => (where >> context) & 1).flatMap(({ positions }) => positions),
      words,
    );
  const known = new Map<string, Context>();
  return Array.from({ length: CONTEXT_COUNT }, (_, context) => {
    const holding = [{ where: empty }, ...first, ...last, ...groups].map(
      ({ where }) => (where >> context) & 1,
    );
    const name = holding.join('');
    let found = known.get(name);
    if (found === undefined) {
      const here = groups.filter(({ where }) => (where >> context) & 1);
      found = {
        isEmptyMatch: holding[0] === 1,
        initial: wordsWhere(first, context),
        accepting: wordsWhere(last, context),
        shift: wordsOf(
          here.flatMap(({ shift }) => shift),
          words,
        ),
        groups: here.filter(({ cost }) => cost > 0),
      };
      known.set(name, found);
    }
    return found;
  });
}

/** What each symbol is to the places before and after it. */
function surroundingsOf(
  classes: CharacterClasses,
  told: Distinctions,
): { before: Uint8Array; after: Uint8Array } {
  const before = new Uint8Array(classes.count + 2).fill(BEFORE.other);
  const after = new Uint8Array(classes.count + 2).fill(AFTER.other);
  if (told.word) {
    // The word characters are the last of the sets.
    for (const each of classes.ofSet.at(-1)!) {
      before[each] = BEFORE.word;
      after[each] = AFTER.word;
    }
  }
  if (told.newline || told.finalNewline) {
    const newline = classes.ofLatin[0x0a]!;
    after[newline] = AFTER.newline;
    if (told.newline) before[newline] = before[classes.count] = BEFORE.newline;
  }
  after[classes.count] = AFTER.finalNewline;
  after[classes.count + 1] = AFTER.end;
  return { before, after };
}
