import { lineOf } from './json-place.js';

export interface JsonFault {
  message: string;
  /** where, in UTF-16 units from the beginning */
  at: number;
}

/** What is wrong with a JSON text, and where; `undefined` when nothing is. Engines differ in what they tell, so it is found here. O(length). */
export function jsonFault(text: string): JsonFault | undefined {
  if (text.trim() === '') return { message: 'Nothing is written here yet.', at: 0 };
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    const { what, at } = firstFault(text);
    const { line, column } = lineOf(text, at);
    return { message: `Not JSON: ${what} (line ${line}, column ${column}).`, at };
  }
}

interface Found {
  what: string;
  at: number;
}

const SPACE = /[ \t\n\r]*/y;
// eslint-disable-next-line no-control-regex -- JSON takes them only escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;
const WORD = /[^\s,:[\]{}"]+/y;

/** @param text is not JSON */
function firstFault(text: string): Found {
  let at = 0;
  /** closing brackets that are still to come */
  const open: ('}' | ']')[] = [];
  let expected: 'value' | 'key' | 'colon' | 'next' = 'value';
  let mayClose = false;

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  const seen = (): string => {
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0] ?? String.fromCodePoint(text.codePointAt(at)!);
    return `"${word.slice(0, 20)}"`;
  };

  for (;;) {
    take(SPACE);
    if (at >= text.length) {
      const closing = open.at(-1);
      return {
        what: closing === undefined ? 'a value is missing' : `"${closing}" is missing at the end`,
        at,
      };
    }
    const next = text[at]!;
    if (mayClose && next === open.at(-1)) {
      at++;
      open.pop();
      expected = 'next';
      mayClose = open.length > 0;
    } else if (expected === 'next') {
      if (open.length === 0) return { what: `${seen()} stands after the end`, at };
      if (next !== ',') return { what: `a comma or "${open.at(-1)}" is missing before ${seen()}`, at };
      at++;
      expected = open.at(-1) === '}' ? 'key' : 'value';
      mayClose = false;
    } else if (expected === 'colon') {
      if (next !== ':') return { what: `":" is missing before ${seen()}`, at };
      at++;
      expected = 'value';
    } else if (next === '"') {
      if (take(STRING) === undefined)
        return { what: 'this text does not end, or holds what must be escaped', at };
      mayClose = expected !== 'key' && open.length > 0;
      expected = expected === 'key' ? 'colon' : 'next';
    } else if (expected === 'key') {
      return { what: `a key in quotes is expected, not ${seen()}`, at };
    } else if (next === '{' || next === '[') {
      at++;
      open.push(next === '{' ? '}' : ']');
      expected = next === '{' ? 'key' : 'value';
      mayClose = true;
    } else {
      const begin = at;
      WORD.lastIndex = at;
      const word = WORD.exec(text)?.[0];
      if (take(SCALAR) === undefined || at !== begin + (word?.length ?? 0)) {
        at = begin;
        return { what: `${seen()} is no value; text is written in quotes`, at };
      }
      expected = 'next';
      mayClose = open.length > 0;
    }
  }
}
