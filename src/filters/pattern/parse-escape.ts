import { CATEGORIES } from './named-sets.js';
import type { PatternReader } from './pattern-reader.js';
import { MAX_CODE_POINT, PatternFault } from './syntax.js';

const CONTROLS: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };

/** The character of an escape that stands for one; the backslash has been read. */
export function escapedCodePoint(reader: PatternReader): number {
  if (reader.atEnd()) throw new PatternFault('the pattern ends with a backslash; write \\\\ for one');
  const char = reader.next();
  if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char]!;
  if (char === 'x') return hexadecimal(reader);
  if (/[0-9]/.test(char)) {
    throw new PatternFault(
      `backreferences and octal escapes (\\${char}) are not supported; use \\x{...} for a character`,
    );
  }
  if (/[A-Za-z]/.test(char)) throw new PatternFault(`the escape \\${char} is not supported`);
  return char.codePointAt(0)!;
}

function hexadecimal(reader: PatternReader): number {
  const found = reader.match(/([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\}/y);
  const codePoint = found === undefined ? NaN : parseInt(found[1] ?? found[2] ?? '', 16);
  if (!(codePoint <= MAX_CODE_POINT) || (codePoint >= 0xd800 && codePoint <= 0xdfff)) {
    throw new PatternFault('\\x needs two hexadecimal digits, or {...} with a Unicode code point');
  }
  return codePoint;
}

/** The category of `\p` or `\P`, written `\p{Lu}`; undefined for another escape. The backslash has been read. */
export function escapedCategory(reader: PatternReader, ignoresCase: boolean): string | undefined {
  if (!reader.sees('p') && !reader.sees('P')) return undefined;
  const letter = reader.next();
  const found = reader.match(/([A-Z])|\{([A-Z][a-z]?)\}/y);
  const name = found?.[1] ?? found?.[2];
  if (name === undefined || !CATEGORIES.has(name)) {
    throw new PatternFault(
      `\\${letter} needs a Unicode general category (${[...CATEGORIES].join(', ')}); scripts and other properties are not supported`,
    );
  }
  if (ignoresCase && /^L[ult]$/.test(name)) {
    throw new PatternFault(`\\${letter}{${name}} is not supported where case is ignored; use \\${letter}{L}`);
  }
  return `\\${letter}{${name}}`;
}
