import type { PatternNode } from './syntax.js';

/** Plain text, in UTF-16, that a text must have to match. At least one unit; ends between code points. */
export interface RequiredText {
  readonly text: string;
  /** the text must begin with it; else it may be anywhere */
  readonly anchored: boolean;
}

export interface PatternLiterals {
  /** in every text that matches, as it stands; the longest that was found, an anchored one before an equally long other */
  required?: RequiredText;
  /** in `toLowerCase()` of every text that matches; told only where it is longer than `required` */
  requiredLower?: RequiredText;
  /** nothing else is asked: a text matches if it has `required` (anchored: begins with it), or, without one, always */
  isLiteral: boolean;
}

/** Longer texts are cut: repetitions multiply. */
const MAX_TEXT = 32_768;

/** What all that a node matches has in common. */
interface Common {
  /** it can match nothing but `prefix` */
  isExact: boolean;
  /** no condition but the start of the text, and that before all else */
  isPlain: boolean;
  /** begins at the start of the text */
  anchored: boolean;
  prefix: string;
  suffix: string;
  longest: string;
}

const NOTHING_KNOWN: Common = {
  isExact: false,
  isPlain: false,
  anchored: false,
  prefix: '',
  suffix: '',
  longest: '',
};
const EMPTY: Common = { ...NOTHING_KNOWN, isExact: true, isPlain: true };

/** How a literal that ignores case is told: as text that stands in each of its forms, or undefined. */
type Reading = (char: string) => string | undefined;

/**
 * Plain text that every match of a pattern has. Sound, not complete: a text without it never matches.
 * O(size of the pattern + length of the texts).
 */
export function literalsOf(node: PatternNode): PatternLiterals {
  const exact = commonOf(node, uncased);
  const required = bestOf(exact);
  const requiredLower = bestOf(commonOf(node, lowerCase));
  const literals: PatternLiterals = { isLiteral: exact.isExact && exact.isPlain };
  if (required !== undefined) literals.required = required;
  if (requiredLower !== undefined && requiredLower.text.length > (required?.text.length ?? 0)) {
    literals.requiredLower = requiredLower;
  }
  return literals;
}

function bestOf({ anchored, prefix, longest }: Common): RequiredText | undefined {
  if (anchored && prefix !== '' && prefix.length >= longest.length) return { text: prefix, anchored: true };
  return longest === '' ? undefined : { text: longest, anchored: false };
}

/** What has one form only. */
function uncased(char: string): string | undefined {
  return char.toLowerCase() === char && char.toUpperCase() === char ? char : undefined;
}

/** Of ASCII, all forms but the long s have one lower case, wherever they stand (the Kelvin sign has k). */
function lowerCase(char: string): string | undefined {
  return /^[A-RT-Za-rt-z]$/.test(char) ? char.toLowerCase() : uncased(char);
}

function commonOf(node: PatternNode, read: Reading): Common {
  switch (node.kind) {
    case 'literal':
      return ofChar(node, read);
    case 'class':
      return NOTHING_KNOWN;
    case 'assertion':
      return node.assertion === 'textStart' ? { ...EMPTY, anchored: true } : { ...EMPTY, isPlain: false };
    case 'sequence':
      return node.items.map((item) => commonOf(item, read)).reduce(inSequence, EMPTY);
    case 'alternation':
      return node.branches.map((branch) => commonOf(branch, read)).reduce(eitherOf);
    case 'repeat':
      return repeated(commonOf(node.item, read), node.min, node.max);
  }
}

function ofChar(node: PatternNode & { kind: 'literal' }, read: Reading): Common {
  const char = String.fromCodePoint(node.codePoint);
  const isLower = read === lowerCase;
  // In the lower case of a text, only what stays itself there can be looked for; case-sensitive literals too.
  const text = node.ignoresCase || isLower ? read(char) : char;
  if (text === undefined) return NOTHING_KNOWN;
  return { isExact: true, isPlain: true, anchored: false, prefix: text, suffix: text, longest: text };
}

function inSequence(a: Common, b: Common): Common {
  const isExact = a.isExact && b.isExact && a.prefix.length + b.prefix.length <= MAX_TEXT;
  const seam = cutTo(a.suffix + b.prefix);
  const prefix = a.isExact ? cutTo(a.prefix + b.prefix) : a.prefix;
  return {
    isExact,
    isPlain: a.isPlain && b.isPlain && !(b.anchored && a.prefix !== ''),
    anchored: a.anchored || (b.anchored && a.isExact && a.prefix === ''),
    prefix,
    suffix: isExact ? prefix : b.isExact ? cutTo(a.suffix + b.suffix, true) : b.suffix,
    longest: longer(longer(a.longest, b.longest), seam),
  };
}

function eitherOf(a: Common, b: Common): Common {
  const prefix = commonPrefix(a.prefix, b.prefix);
  const isSame = a.isExact && b.isExact && a.prefix === b.prefix && a.anchored === b.anchored;
  return {
    isExact: isSame,
    isPlain: isSame && a.isPlain && b.isPlain,
    anchored: a.anchored && b.anchored,
    prefix,
    suffix: isSame ? a.suffix : '',
    longest: a.longest.includes(b.longest) ? b.longest : b.longest.includes(a.longest) ? a.longest : prefix,
  };
}

function repeated(item: Common, min: number, max: number): Common {
  if (max === 0) return EMPTY;
  if (min === 0) return NOTHING_KNOWN;
  if (min === 1 && max === 1) return item;
  const anchored = item.anchored;
  if (!item.isExact) return { ...item, isPlain: false, anchored };
  const copies = Math.max(1, Math.min(min, Math.floor(MAX_TEXT / Math.max(item.prefix.length, 1))));
  const text = item.prefix.repeat(copies);
  return {
    isExact: min === max && copies === min,
    isPlain: item.isPlain && !anchored,
    anchored,
    prefix: text,
    suffix: text,
    longest: text,
  };
}

function longer(a: string, b: string): string {
  return b.length > a.length ? b : a;
}

function cutTo(text: string, fromEnd = false): string {
  if (text.length <= MAX_TEXT) return text;
  if (fromEnd) {
    const tail = text.slice(-MAX_TEXT);
    return tail.charCodeAt(0) >> 10 === 0x37 ? tail.slice(1) : tail;
  }
  const head = text.slice(0, MAX_TEXT);
  return head.charCodeAt(MAX_TEXT - 1) >> 10 === 0x36 ? head.slice(0, -1) : head;
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  // Half of a surrogate pair is no text.
  if (length > 0 && a.charCodeAt(length - 1) >> 10 === 0x36) length--;
  return a.slice(0, length);
}
