import { escapedCategory, escapedCodePoint } from './parse-escape.js';
import { complementOf } from './code-point-sets.js';
import { ESCAPED_SETS, POSIX_SETS } from './named-sets.js';
import type { PatternReader } from './pattern-reader.js';
import { PatternFault, type CharacterSet } from './syntax.js';

/** Parses a bracket expression whose "[" has been read. */
export function parseClass(reader: PatternReader, ignoresCase: boolean): CharacterSet {
  const negated = reader.take('^');
  const set: CharacterSet = { negated, folding: [], exact: [], categories: [] };
  for (let isFirst = true; isFirst || !reader.sees(']'); isFirst = false) {
    if (reader.atEnd()) throw new PatternFault('a character class is not closed: ] is missing');
    const from = parseMember(reader, set, ignoresCase);
    const isRange = reader.sees('-') && !reader.sees('-]');
    if (from === undefined) {
      if (isRange)
        throw new PatternFault(
          "a class such as \\d or [:alpha:] can't begin a range; write \\- for a hyphen",
        );
      continue;
    }
    if (!isRange) {
      set.folding.push([from, from]);
      continue;
    }
    reader.next();
    if (reader.atEnd()) throw new PatternFault('a character class is not closed: ] is missing');
    const to = parseMember(reader, set, ignoresCase);
    if (to === undefined)
      throw new PatternFault("a class such as \\d or [:alpha:] can't end a range; write \\- for a hyphen");
    if (to < from) throw new PatternFault('a range in a character class is out of order');
    set.folding.push([from, to]);
  }
  reader.next();
  return set;
}

/** A character, or undefined for a set, which has been added. */
function parseMember(reader: PatternReader, set: CharacterSet, ignoresCase: boolean): number | undefined {
  const posix = reader.match(/\[:(\^?)([a-z]*):\]/y);
  if (posix !== undefined) {
    addPosix(set, posix[2]!, posix[1] === '^', ignoresCase);
    return undefined;
  }
  if (reader.seesPosixItem()) {
    throw new PatternFault('this POSIX class is not supported');
  }
  const char = reader.next();
  if (char !== '\\') return char.codePointAt(0)!;
  const letter = reader.peek();
  if (Object.hasOwn(ESCAPED_SETS, letter)) {
    reader.next();
    set.exact.push(...ESCAPED_SETS[letter]!);
    return undefined;
  }
  if (reader.take('b')) return 8;
  const category = escapedCategory(reader, ignoresCase);
  if (category === undefined) return escapedCodePoint(reader);
  set.categories.push(category);
  return undefined;
}

function addPosix(set: CharacterSet, name: string, isNegated: boolean, ignoresCase: boolean): void {
  if (!Object.hasOwn(POSIX_SETS, name)) {
    throw new PatternFault(
      `there is no POSIX class [:${name}:]; there are ${Object.keys(POSIX_SETS).join(', ')}`,
    );
  }
  // PCRE takes upper and lower for alpha where case is ignored.
  const ranges = POSIX_SETS[ignoresCase && /^(?:upper|lower)$/.test(name) ? 'alpha' : name]!;
  set.exact.push(...(isNegated ? complementOf(ranges) : ranges));
}
