import { LRUCache } from 'lru-cache';
import { RE2JS, RE2JSException } from 're2js';
import { parsePattern } from './parse-pattern.js';
import { literalsOf, type PatternLiterals } from './literals.js';
import { PatternFault, type PatternOptions } from './syntax.js';
import { translate } from './translate.js';

export type PatternTest = (text: string) => boolean;
export type { RequiredText } from './literals.js';

/** A pattern that is accepted: what it finds, and what an index can know of that without running it. */
export interface CompiledPattern extends PatternLiterals {
  test: PatternTest;
}

export type PatternResult = ({ ok: true } & CompiledPattern) | { ok: false; message: string };

/**
 * RE2's instructions for one pattern: time is at most (instructions x characters), so this bounds the work on one
 * character. `a{1000}` fits.
 */
const MAX_PROGRAM_SIZE = 3000;

/** Many filters share few patterns, and an engine is large. Only a memory of a pure function, so it may be shared. */
const COMPILED = new LRUCache<string, PatternResult>({ max: 1000 });

/**
 * Compiles a `$regex` to a test that finds a match anywhere in the text where MongoDB's PCRE (UTF, not UCP) does.
 * Linear in the text: literals by string search, the rest by RE2. Syntax in which the engines differ is translated or,
 * where that is not safe, refused.
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
    const node = parsePattern(source, options);
    const literals = literalsOf(node);
    const quick = quickTestOf(literals);
    const test = literals.isLiteral ? (quick ?? (() => true)) : engineTestOf(translate(node), quick);
    return { ok: true, test, ...literals };
  } catch (error) {
    if (!(error instanceof PatternFault)) throw error;
    return { ok: false, message: `the regular expression is not accepted: ${error.message}` };
  }
}

function engineTestOf(translated: string, quick: PatternTest | undefined): PatternTest {
  let engine: RE2JS;
  try {
    engine = RE2JS.compile(translated);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new PatternFault('it repeats too much, or is nested too deeply, for a linear-time engine');
  }
  if (engine.programSize() > MAX_PROGRAM_SIZE) {
    throw new PatternFault('it repeats too much; lower the numbers in its repetitions');
  }
  return (text) => (quick === undefined || quick(text)) && remember(engine, text);
}

/** Looks for the plain text that every match has. */
function quickTestOf({ required }: PatternLiterals): PatternTest | undefined {
  if (required === undefined) return undefined;
  const { text, anchored } = required;
  return anchored ? (value) => value.startsWith(text) : (value) => value.includes(text);
}

/** The old and the new value of a change, and of a value with an element or two those as well. */
const REMEMBERED_TEXTS = 4;

/** What engines found in the texts that were looked at last. Only a memory of a pure function, so it may be shared. */
const FOUND: { text: string; byEngine: Map<RE2JS, boolean> }[] = [];

/** Filters that share a pattern share its evaluation: once for each text. */
function remember(engine: RE2JS, text: string): boolean {
  let found = FOUND.find((each) => each.text === text);
  if (found === undefined) {
    found = { text, byEngine: new Map() };
    if (FOUND.unshift(found) > REMEMBERED_TEXTS) FOUND.pop();
  }
  let matches = found.byEngine.get(engine);
  if (matches === undefined) found.byEngine.set(engine, (matches = engine.test(text)));
  return matches;
}
