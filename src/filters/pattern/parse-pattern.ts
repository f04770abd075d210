import { parseClass } from './parse-class.js';
import { escapedCategory, escapedCodePoint } from './parse-escape.js';
import { ESCAPED_SETS, NOT_NEWLINE } from './named-sets.js';
import { PatternReader } from './pattern-reader.js';
import {
  MAX_REPEAT,
  PatternFault,
  type Assertion,
  type CodePointRange,
  type PatternNode,
  type PatternOptions,
} from './syntax.js';

/**
 * Parses the part of PCRE that is accepted. Groups are kept for their structure only: what they capture can't be seen.
 * @throws PatternFault where the pattern is wrong or beyond that part
 */
export function parsePattern(source: string, options: PatternOptions): PatternNode {
  const reader = new PatternReader(source);
  if (reader.rest().startsWith('(*')) throw new PatternFault('verbs such as (*UTF) are not supported');
  const node = parseAlternation(reader, { ...options });
  if (!reader.atEnd()) throw new PatternFault(`unmatched ) at position ${reader.position}`);
  return node;
}

/** Options set inside hold to the end of the group, in the alternatives that follow too: the caller passes a copy. */
function parseAlternation(reader: PatternReader, options: PatternOptions): PatternNode {
  const branches: PatternNode[] = [];
  do branches.push(parseSequence(reader, options));
  while (reader.take('|'));
  return branches.length === 1 ? branches[0]! : { kind: 'alternation', branches };
}

function parseSequence(reader: PatternReader, options: PatternOptions): PatternNode {
  const items: PatternNode[] = [];
  for (;;) {
    skipIgnored(reader, options);
    if (reader.atEnd() || reader.sees('|') || reader.sees(')')) break;
    if (reader.take('\\Q')) items.push(...parseQuoted(reader, options));
    else {
      const node = parseItem(reader, options);
      if (node !== undefined) items.push(node);
      else continue;
    }
    skipIgnored(reader, options);
    const last = items.at(-1);
    const repeat = parseQuantifier(reader);
    if (repeat === undefined) continue;
    if (last === undefined || last.kind === 'assertion') {
      throw new PatternFault(`the quantifier before position ${reader.position} has nothing to repeat`);
    }
    items[items.length - 1] = { kind: 'repeat', item: last, ...repeat };
    skipIgnored(reader, options);
    if (/^(?:[*+?]|\{[\d,])/.test(reader.rest())) {
      throw new PatternFault(
        `possessive and doubled quantifiers are not supported (position ${reader.position})`,
      );
    }
  }
  return items.length === 1 ? items[0]! : { kind: 'sequence', items };
}

function skipIgnored(reader: PatternReader, options: PatternOptions): void {
  for (;;) {
    if (reader.match(/\(\?#[^)]*\)/y) !== undefined || reader.take('\\E')) continue;
    if (!options.extended) return;
    if (reader.match(/[\t-\r \u0085\u200e\u200f\u2028\u2029]+|#[^\n]*\n?/y) === undefined) return;
  }
}

function parseQuoted(reader: PatternReader, { ignoresCase }: PatternOptions): PatternNode[] {
  const text = reader.until('\\E');
  return [...text].map((char) => ({ kind: 'literal', codePoint: char.codePointAt(0)!, ignoresCase }));
}

/** One item without its quantifier; undefined for a change of options. */
function parseItem(reader: PatternReader, options: PatternOptions): PatternNode | undefined {
  const { ignoresCase } = options;
  const char = reader.next();
  switch (char) {
    case '(':
      return parseGroup(reader, options);
    case '[':
      if (/^:\^?\w*:\]/.test(reader.rest()))
        throw new PatternFault('[:name:] needs brackets around it: [[:name:]]');
      return { kind: 'class', set: parseClass(reader, ignoresCase), ignoresCase };
    case '.':
      return setNode(options.dotAll ? [[0, 0x10ffff]] : NOT_NEWLINE);
    case '^':
      return assertion(options.multiline ? 'lineStart' : 'textStart');
    case '$':
      return assertion(options.multiline ? 'lineEnd' : 'textEnd');
    case '*':
    case '+':
    case '?':
      throw new PatternFault(
        `the quantifier ${char} before position ${reader.position} has nothing to repeat`,
      );
    case '{':
      if (/^\s*[\d,]/.test(reader.rest())) {
        throw new PatternFault(
          `{ at position ${reader.position - 1} starts no valid quantifier here; write \\{ for a brace`,
        );
      }
      return literal(char, ignoresCase);
    case '\\':
      return parseEscape(reader, ignoresCase);
    default:
      return literal(char, ignoresCase);
  }
}

const ASSERTIONS: Readonly<Record<string, Assertion>> = {
  A: 'textStart',
  Z: 'textEnd',
  z: 'veryEnd',
  b: 'wordEdge',
  B: 'noWordEdge',
};

function parseEscape(reader: PatternReader, ignoresCase: boolean): PatternNode {
  const letter = reader.peek();
  const asserted = ownValue(ASSERTIONS, letter);
  const set = letter === 'N' ? NOT_NEWLINE : ownValue(ESCAPED_SETS, letter);
  if (asserted !== undefined || set !== undefined) {
    reader.next();
    if (letter === 'N' && reader.sees('{')) throw new PatternFault('\\N{...} is not supported; use \\x{...}');
    return asserted !== undefined ? assertion(asserted) : setNode(set!);
  }
  const category = escapedCategory(reader, ignoresCase);
  if (category !== undefined) {
    return {
      kind: 'class',
      set: { negated: false, folding: [], exact: [], categories: [category] },
      ignoresCase,
    };
  }
  return { kind: 'literal', codePoint: escapedCodePoint(reader), ignoresCase };
}

function ownValue<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The "(" has been read. */
function parseGroup(reader: PatternReader, options: PatternOptions): PatternNode | undefined {
  reader.descend();
  if (reader.sees('*')) throw new PatternFault('verbs such as (*SKIP) are not supported');
  if (reader.take('?')) {
    const flags = reader.match(/([imsx]*)(?:-([imsx]*))?([:)])/y);
    if (flags !== undefined) {
      if (flags[0].includes('xx')) throw new PatternFault('the option xx is not supported');
      const changed = flags[3] === ')' ? options : { ...options };
      setOptions(changed, flags[1]!, true);
      setOptions(changed, flags[2] ?? '', false);
      if (flags[3] === ')') {
        reader.ascend();
        return undefined;
      }
      return closeGroup(reader, parseAlternation(reader, changed));
    }
    const name = reader.match(/(?:P?<([A-Za-z_]\w{0,31})>|'([A-Za-z_]\w{0,31})')/y);
    if (name === undefined) throw new PatternFault(describeGroup(reader.rest()));
    reader.nameGroup(name[1] ?? name[2] ?? '');
  }
  return closeGroup(reader, parseAlternation(reader, { ...options }));
}

function closeGroup(reader: PatternReader, node: PatternNode): PatternNode {
  if (!reader.take(')')) throw new PatternFault('a group is not closed: ) is missing');
  reader.ascend();
  // One item, so that a quantifier takes it whole, and no assertion, which would refuse one.
  return { kind: 'sequence', items: [node] };
}

function setOptions(options: PatternOptions, letters: string, value: boolean): void {
  if (letters.includes('i')) options.ignoresCase = value;
  if (letters.includes('m')) options.multiline = value;
  if (letters.includes('s')) options.dotAll = value;
  if (letters.includes('x')) options.extended = value;
}

function describeGroup(rest: string): string {
  if (/^<?[=!]/.test(rest)) return 'look-ahead and look-behind are not supported';
  if (rest.startsWith('>')) return 'atomic groups (?>...) are not supported';
  if (rest.startsWith('(')) return 'conditional groups (?(...)...) are not supported';
  if (rest.startsWith('|')) return 'branch reset groups (?|...) are not supported';
  if (/^(?:R|[-+]?\d|&|P[>=])/.test(rest))
    return 'recursion, subroutines and backreferences are not supported';
  return `the group (?${rest.slice(0, 3)}... is not supported; use (...), (?:...), (?<name>...) or (?imsx)`;
}

/** `*`, `+`, `?`, `{n}`, `{n,}`, `{n,m}`; laziness makes no difference to whether there is a match. */
function parseQuantifier(reader: PatternReader): { min: number; max: number } | undefined {
  const found = reader.match(/(?:([*+?])|\{(\d+)(,(\d*))?\})\??/y);
  if (found === undefined) return undefined;
  const [, symbol, least, upTo, most] = found;
  if (symbol !== undefined) return { min: symbol === '+' ? 1 : 0, max: symbol === '?' ? 1 : Infinity };
  const min = Number(least);
  const max = upTo === undefined ? min : most === '' ? Infinity : Number(most);
  if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) {
    throw new PatternFault(`a repetition may count to ${MAX_REPEAT} at most`);
  }
  if (max < min) throw new PatternFault(`the repetition {${min},${max}} has its numbers out of order`);
  return { min, max };
}

function literal(char: string, ignoresCase: boolean): PatternNode {
  return { kind: 'literal', codePoint: char.codePointAt(0)!, ignoresCase };
}

function setNode(exact: readonly CodePointRange[]): PatternNode {
  return {
    kind: 'class',
    set: { negated: false, folding: [], exact: [...exact], categories: [] },
    ignoresCase: false,
  };
}

function assertion(kind: Assertion): PatternNode {
  return { kind: 'assertion', assertion: kind };
}
