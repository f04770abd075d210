import { isUtf8 } from 'node:buffer';
import { bufferOf } from './bytes.js';
import { type JsonValue, pointerToken } from './json.js';

export type StrictJson =
  | { ok: true; value: JsonValue; text: string }
  /** `path`: JSON Pointer to the fault, where a place is known */
  | { ok: false; code: 'malformed-json' | 'nested-too-deep'; message: string; path?: string };

function malformed(message: string): Extract<StrictJson, { ok: false }> {
  return { ok: false, code: 'malformed-json', message };
}

const QUOTE = 34;
const BACKSLASH = 92;
/** Characters of one number: what a double can hold exactly needs fewer. */
const MAX_NUMBER = 1100;

/**
 * Parses one JSON text strictly (RFC 8259 as narrowed by I-JSON, RFC 7493): valid UTF-8, no duplicate keys, no
 * lone surrogates, no key `__proto__`, at most `maxNesting` levels of arrays and objects, and only numbers that
 * survive the way through a double (what is stored and answered equals what was sent, or the text is refused).
 * `JSON.parse` does the parsing; one pass over the text finds what it lets through. O(bytes).
 */
export function parseStrictJson(bytes: Uint8Array, maxNesting: number): StrictJson {
  if (!isUtf8(bytes)) return malformed('The text is not valid UTF-8.');
  return parseStrictText(bufferOf(bytes).toString('utf8'), maxNesting);
}

/** As {@link parseStrictJson}, for a text that is already a string. */
export function parseStrictText(text: string, maxNesting: number): StrictJson {
  const shape = scan(text, maxNesting);
  if (shape === 'too-deep') {
    return {
      ok: false,
      code: 'nested-too-deep',
      message: `The value is nested deeper than ${maxNesting} levels.`,
    };
  }
  if ('fault' in shape) return malformed(shape.fault);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    if (text.trim() === '') return malformed('The text is empty; a JSON value is needed.');
    return malformed(`The text is not JSON: ${(error as Error).message}.`);
  }
  if (shape.escapes || shape.members > 0) {
    const count = { members: 0 };
    const fault = inspect(value, count);
    if (fault !== undefined) return { ...malformed(fault.message(fault.path || '/')), path: fault.path };
    if (count.members !== shape.members) {
      const name = findDuplicate(text);
      return malformed(
        `The key ${JSON.stringify(name)} appears twice in one object; each key may be given once.`,
      );
    }
  }
  if (!text.isWellFormed()) return malformed('The text holds half of a surrogate pair.');
  return { ok: true, value, text };
}

interface Shape {
  /** colons outside strings: members of all objects, duplicates counted */
  members: number;
  /** there is a `\u` escape, which can make a lone surrogate */
  escapes: boolean;
}

/** One pass over the raw text. Answers a fault when a limit is passed; syntax is left to `JSON.parse`. */
function scan(text: string, maxNesting: number): Shape | 'too-deep' | { fault: string } {
  let members = 0;
  let depth = 0;
  let escapes = false;
  const length = text.length;
  for (let i = 0; i < length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      for (i++; i < length; i++) {
        const s = text.charCodeAt(i);
        if (s === QUOTE) break;
        if (s === BACKSLASH) {
          i++;
          if (text.charCodeAt(i) === 117) escapes = true;
        }
      }
    } else if (c === 58) {
      members++;
    } else if (c === 91 || c === 123) {
      if (++depth > maxNesting) return 'too-deep';
    } else if (c === 93 || c === 125) {
      depth--;
    } else if (c === 45 || (c >= 48 && c <= 57)) {
      const start = i;
      while (i + 1 < length && isNumberCharacter(text.charCodeAt(i + 1))) i++;
      // 15 significant digits always survive a double (IEEE 754 binary64) within its exponents
      if (i - start >= 15 || /[eE]/.test(text.slice(start, i + 1))) {
        const fault = numberFault(text.slice(start, i + 1));
        if (fault !== undefined) return { fault };
      }
    }
  }
  return { members, escapes };
}

function isNumberCharacter(c: number): boolean {
  return (c >= 48 && c <= 57) || c === 46 || c === 101 || c === 69 || c === 43 || c === 45;
}

/**
 * A number is taken when the digits that are answered mean the number that was sent. A fraction may also be the
 * 17-digit form of a double (what C's `%.17g` writes), for then the double is what was meant.
 */
export function numberFault(token: string): string | undefined {
  if (token.length > MAX_NUMBER)
    return `A number of ${token.length} characters is not taken; ${MAX_NUMBER} are the most.`;
  const value = Number(token);
  if (Number.isNaN(value)) return undefined; // not a number: JSON.parse says where
  const sent = decimal(token);
  if (Number.isFinite(value)) {
    if (decimal(String(value)) === sent) return undefined;
    const digits = sent.split('e')[0]!.length;
    if (!Number.isInteger(value) && digits <= 17 && decimal(value.toPrecision(digits)) === sent)
      return undefined;
  }
  return `The number ${token.slice(0, 60)} can't be held exactly (a double would make it ${String(value)}); send it as a string.`;
}

/** Significant digits and exponent of a decimal text, so that equal numbers have equal texts; the sign is dropped. */
function decimal(token: string): string {
  const [mantissa, exponent = '0'] = token.toLowerCase().replace(/^-/, '').split('e') as [string, string?];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  const digits = (whole + fraction).replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  if (trimmed === '') return '0e0';
  return `${trimmed}e${Number(exponent) - fraction.length + (digits.length - trimmed.length)}`;
}

/** What is wrong with a value, and where; the path is put together on the way back, so that a good value costs none. */
interface Flaw {
  path: string;
  message: (path: string) => string;
}

const HALF_TEXT = (path: string) => `The text at ${path} holds half of a surrogate pair.`;
const HALF_KEY = (path: string) => `A key at ${path} holds half of a surrogate pair.`;
const PROTO = () => 'The key "__proto__" is not allowed: it is reserved.';

/** Counts members and finds what `JSON.parse` lets through. Answers the first flaw. */
function inspect(value: JsonValue, count: { members: number }): Flaw | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : { path: '', message: HALF_TEXT };
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const flaw = inspect(value[i]!, count);
      if (flaw !== undefined) return within(String(i), flaw);
    }
    return undefined;
  }
  for (const key of Object.keys(value)) {
    count.members++;
    if (key === '__proto__') return { path: '', message: PROTO };
    if (!key.isWellFormed()) return { path: '', message: HALF_KEY };
    const flaw = inspect(value[key]!, count);
    if (flaw !== undefined) return within(key, flaw);
  }
  return undefined;
}

function within(name: string, flaw: Flaw): Flaw {
  return { path: `/${pointerToken(name)}${flaw.path}`, message: flaw.message };
}

/** The first key that an object of this valid JSON text repeats. Only runs when there is one. O(text). */
function findDuplicate(text: string): string {
  const open: (Set<string> | undefined)[] = [];
  let string = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      string = text.slice(start, i + 1);
    } else if (c === '{') open.push(new Set());
    else if (c === '[') open.push(undefined);
    else if (c === '}' || c === ']') open.pop();
    else if (c === ':') {
      const key = JSON.parse(string) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return '?';
}
