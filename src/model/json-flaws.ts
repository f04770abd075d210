import { isUtf8 } from 'node:buffer';
import { bufferOf } from './bytes.js';
import type { JsonValue } from './json.js';
import { numberFault, parseStrictText } from './strict-json.js';

/** One thing in a JSON text that strict JSON does not take, though it can be read. */
export interface JsonFlaw {
  /** names of members and numbers of elements, from the outermost on, cut to what is shown */
  path: readonly string[];
  found: string;
  allowed: string;
}

export type FlawedJson =
  | { ok: true; value: JsonValue; flaws: readonly JsonFlaw[] }
  /** it is no JSON: in words why, and where */
  | { ok: false; fault: string };

/** Longer names, and what is deeper, have no flaw of their own. */
const MAX_NAME = 300;
const MAX_PATH = 8;

/**
 * Reads JSON of which a part may be wrong: what {@link parseStrictJson} would refuse the whole for is told with its place, one
 * flaw a place, and the value is as `JSON.parse` gives it (of a key that is given twice, the last). To be used with the
 * parts that have no flaw. O(bytes).
 */
export function parseFlawedJson(bytes: Uint8Array, maxNesting: number): FlawedJson {
  const buffer = bufferOf(bytes);
  if (!isUtf8(bytes)) return { ok: false, fault: `not UTF-8 text (byte ${firstBadByte(buffer)})` };
  const text = buffer.toString('utf8');
  const strict = parseStrictText(text, maxNesting);
  if (strict.ok) return { ok: true, value: strict.value, flaws: [] };
  const flaws = new Map<string, JsonFlaw>();
  const end = walk(text, maxNesting, (names, found, allowed) => {
    const path = names.slice(0, MAX_PATH).map((name) => name.slice(0, MAX_NAME));
    const key = path.join('\0');
    if (!flaws.has(key)) flaws.set(key, { path, found, allowed });
  });
  if (end !== undefined) return { ok: false, fault: faultAt(text, end) };
  try {
    return { ok: true, value: JSON.parse(text) as JsonValue, flaws: [...flaws.values()] };
  } catch (error) {
    // of a number of thousands of digits only the beginning is looked at
    return { ok: false, fault: `not JSON (${(error as Error).message.slice(0, MAX_NAME)})` };
  }
}

function faultAt(text: string, { at, expected }: { at: number; expected: string }): string {
  if (text.trim() === '') return 'an empty text';
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const column = at - (before.lastIndexOf('\n') + 1) + 1;
  const found = at >= text.length ? 'the end' : JSON.stringify(String.fromCodePoint(text.codePointAt(at)!));
  return `not JSON (line ${line}, column ${column}: found ${found}, where ${expected} must be)`;
}

/** The first byte that is not UTF-8: what is decoded and encoded again differs there. */
function firstBadByte(buffer: Buffer): number {
  const again = Buffer.from(buffer.toString('utf8'), 'utf8');
  let at = 0;
  while (at < buffer.length && buffer[at] === again[at]) at++;
  return at;
}

type Wanted = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma';
type Told = (path: readonly string[], found: string, allowed: string) => void;

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const MAX_NUMBER = 1100;

const AT_END: Record<Wanted, string> = {
  value: 'a value',
  'value-or-end': 'a value or "]"',
  key: 'a key',
  'key-or-end': 'a key or "}"',
  colon: '":"',
  comma: 'its rest',
};

/** Goes over a text once. Answers where it is no JSON (RFC 8259); undefined: it is. */
function walk(text: string, maxNesting: number, tell: Told): { at: number; expected: string } | undefined {
  const { length } = text;
  /** of the open objects and arrays: keys until now, or the number of the element */
  const open: { keys?: Set<string>; index: number }[] = [];
  const path: string[] = [];
  let want: Wanted = 'value';
  let i = 0;

  /** Behind the string that begins at `i`; a number below 0: its complement is where it is no string. */
  const stringEnd = (): number => {
    for (let at = i + 1; at < length; at++) {
      const c = text.charCodeAt(at);
      if (c === 34) return at + 1;
      if (c < 32) return ~at;
      if (c !== 92) continue;
      at++;
      const escaped = text[at] ?? '';
      if (escaped === 'u' && /^[\da-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
      else if (escaped === '' || !'"\\/bfnrt'.includes(escaped)) return ~at;
    }
    return ~length;
  };

  for (; i < length; i++) {
    const c = text[i]!;
    if (c === ' ' || c === '\n' || c === '\r' || c === '\t') continue;
    if (want === 'comma' && open.length === 0) return { at: i, expected: 'the end' };
    const top = open.at(-1);
    const mayEnd = want === 'comma' || want === 'value-or-end' || want === 'key-or-end';
    if (mayEnd && (c === '}' || c === ']') && (c === '}') === (top?.keys !== undefined)) {
      open.pop();
      path.pop();
      want = 'comma';
      continue;
    }
    if (want === 'comma') {
      if (c !== ',') return { at: i, expected: `"," or "${top?.keys === undefined ? ']' : '}'}"` };
      if (top!.keys !== undefined) want = 'key';
      else {
        path[path.length - 1] = String(++top!.index);
        want = 'value';
      }
      continue;
    }
    if (want === 'colon') {
      if (c !== ':') return { at: i, expected: '":"' };
      want = 'value';
      continue;
    }
    if (want === 'key' || want === 'key-or-end') {
      if (c !== '"') return { at: i, expected: want === 'key' ? 'a key' : 'a key or "}"' };
      const end = stringEnd();
      if (end < 0) return { at: ~end, expected: 'the rest of a key' };
      const key = JSON.parse(text.slice(i, end)) as string;
      path[path.length - 1] = key;
      if (key === '__proto__') tell(path, 'this key, which is reserved', 'another one');
      else if (!key.isWellFormed()) tell(path, 'half of a surrogate pair', 'Unicode text');
      else if (top!.keys!.has(key)) tell(path, 'the key a second time', 'each key once');
      top!.keys!.add(key);
      want = 'colon';
      i = end - 1;
      continue;
    }
    if (c === '{' || c === '[') {
      open.push(c === '{' ? { keys: new Set(), index: 0 } : { index: 0 });
      if (open.length === maxNesting + 1) tell(path, 'something deeper', `${maxNesting} levels`);
      path.push(c === '{' ? '' : '0');
      want = c === '{' ? 'key-or-end' : 'value-or-end';
      continue;
    }
    if (c === '"') {
      const end = stringEnd();
      if (end < 0) return { at: ~end, expected: 'the rest of a text' };
      const raw = text.slice(i, end);
      if (raw.includes('\\u') && !(JSON.parse(raw) as string).isWellFormed())
        tell(path, 'half of a surrogate pair', 'Unicode text');
      i = end - 1;
    } else {
      let end = i;
      while (end < length && /[\w.+-]/.test(text[end]!)) end++;
      const word = text.slice(i, Math.min(end, i + MAX_NUMBER + 1));
      if (word !== 'true' && word !== 'false' && word !== 'null') {
        if (end - i <= MAX_NUMBER ? !NUMBER.test(word) : !/^-?\d/.test(word))
          return { at: i, expected: 'a value' };
        if (numberFault(text.slice(i, end)) !== undefined)
          tell(path, `the number ${word.slice(0, 60)}`, 'one that a double holds exactly');
      }
      i = end - 1;
    }
    want = 'comma';
  }
  if (want === 'comma' && open.length === 0) return undefined;
  return { at: length, expected: AT_END[want] };
}
