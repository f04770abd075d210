import { LRUCache } from 'lru-cache';
import { checkCost, engineTestOf } from './engine.js';
import { literalsOf, type PatternLiterals } from './literals.js';
import { parsePattern } from './parse-pattern.js';
import { PatternFault, type PatternNode, type PatternOptions } from './syntax.js';

export type PatternTest = (text: string) => boolean;
export type { RequiredText } from './literals.js';

/** A pattern that is accepted: what it finds, and what an index can know of that without running it. */
export interface CompiledPattern extends PatternLiterals {
  test: PatternTest;
  /** steps for one character of a text at most, one or two nanoseconds each; 0: only the beginning is looked at */
  stepCost: number;
}

export type PatternResult = ({ ok: true } & CompiledPattern) | { ok: false; message: string };

/** Of code units, in a string search at its worst. */
const COMPARISONS_PER_STEP = 8;

/** Many filters share few patterns. Only a memory of a pure function, so it may be shared. */
const COMPILED = new LRUCache<string, PatternResult>({ max: 10_000 });

/**
 * Compiles a `$regex` to a test that finds a match anywhere in the text where MongoDB's PCRE (UTF, not UCP) does.
 * Linear in the text: plain text by string search, the rest by an automaton, which is made with the first text that has
 * the plain text of the pattern. Compiling is O(length of the pattern) but for long repetitions, whose cost is found by
 * writing them out.
 *
 * @param optionLetters of i, m, s, x
 */
export function compilePattern(source: string, optionLetters: string): PatternResult {
  const name = `${optionLetters}/${source}`;
  const known = COMPILED.get(name);
  if (known !== undefined) return known;
  const result = compileNew(source, optionLetters);
  COMPILED.set(name, result);
  return result;
}

function compileNew(source: string, optionLetters: string): PatternResult {
  const unknown = [...optionLetters].find((letter) => !'imsx'.includes(letter));
  if (unknown !== undefined) {
    return { ok: false, message: `$options has the unknown option "${unknown}"; allowed are i, m, s and x` };
  }
  const options: PatternOptions = {
    ignoresCase: optionLetters.includes('i'),
    multiline: optionLetters.includes('m'),
    dotAll: optionLetters.includes('s'),
    extended: optionLetters.includes('x'),
  };
  try {
    if (source.includes('\0')) throw new PatternFault('it contains a null character; write \\x00');
    if (!source.isWellFormed()) throw new PatternFault('it contains half of a surrogate pair');
    const parse = (): PatternNode => parsePattern(source, options);
    const node = parse();
    const literals = literalsOf(node);
    const quick = quickTestOf(literals);
    const { anchored = true, text = '' } = literals.required ?? {};
    const searchCost = anchored ? 0 : Math.ceil(text.length / COMPARISONS_PER_STEP);
    if (literals.isLiteral) {
      return { ok: true, test: quick ?? (() => true), stepCost: searchCost, ...literals };
    }
    const stepCost = searchCost + checkCost(node);
    return { ok: true, test: remembered(engineTestOf(parse), quick), stepCost, ...literals };
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    return { ok: false, message: `the regular expression is not accepted: ${error.message}` };
  }
}

/** Looks for the plain text that every match has. */
function quickTestOf({ required }: PatternLiterals): PatternTest | undefined {
  if (required === undefined) return undefined;
  const { text, anchored } = required;
  return anchored ? (value) => value.startsWith(text) : (value) => value.includes(text);
}

/** The old and the new value of a change, and of a value with an element or two those as well. */
const REMEMBERED_TEXTS = 4;
/** Shorter ones are looked through in less time than it takes to remember them. */
const MIN_REMEMBERED_LENGTH = 256;

/** What engines found in the long texts that were looked at last. Only a memory of a pure function, so it may be shared. */
const FOUND: { text: string; byEngine: Map<PatternTest, boolean> }[] = [];

/** Filters that share a pattern share its evaluation: once for each text. */
function remembered(engine: PatternTest, quick: PatternTest | undefined): PatternTest {
  return (text) => {
    if (quick !== undefined && !quick(text)) return false;
    if (text.length < MIN_REMEMBERED_LENGTH) return engine(text);
    let found = FOUND.find((each) => each.text === text);
    if (found === undefined) {
      found = { text, byEngine: new Map() };
      if (FOUND.unshift(found) > REMEMBERED_TEXTS) FOUND.pop();
    }
    let matches = found.byEngine.get(engine);
    if (matches === undefined) found.byEngine.set(engine, (matches = engine(text)));
    return matches;
  };
}
