import { isEndpointId } from '../../model/endpoint.js';

/** An item `{endpointId, set}`: the text of `set` is what `JSON.stringify` writes of it. */
export interface PlainItem {
  endpointId: string;
  setText: string;
}

const START = '{"endpointId":"';
const SET = ',"set":{';

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN_ARRAY = 91;
const BACKSLASH = 92;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Names of one object that are compared with each other, each with each. */
const MOST_NAMES = 48;
/** Digits that a double holds exactly, whatever they are. */
const MOST_DIGITS = 15;

/**
 * Reads the form that nearly all lines of a stream have: compact, ASCII, no escapes, numbers as JavaScript writes them.
 * One pass, nothing is parsed, and the text of `set` goes on as it stands. Undefined for anything else, be it valid or
 * not: whatever is taken here, the strict parser would take, with the same meaning. O(bytes).
 */
export function readPlainItem(line: Buffer, maxNesting: number): PlainItem | undefined {
  const text = line.toString('latin1');
  if (!text.startsWith(START)) return undefined;
  const idEnd = plainStringEnd(text, START.length - 1);
  if (idEnd === -1 || !text.startsWith(SET, idEnd)) return undefined;
  const endpointId = text.slice(START.length, idEnd - 1);
  if (!isEndpointId(endpointId)) return undefined;
  const setAt = idEnd + SET.length - 1;
  const setEnd = objectEnd(text, setAt, maxNesting - 1);
  if (setEnd !== text.length - 1 || text.charCodeAt(setEnd) !== CLOSE_OBJECT) return undefined;
  return { endpointId, setText: text.slice(setAt, setEnd) };
}

/** The places after what begins at `at`; -1: it is not plain, or nested deeper than so many levels. */
function valueEnd(text: string, at: number, levels: number): number {
  const c = text.charCodeAt(at);
  if (c === QUOTE) return plainStringEnd(text, at);
  if (c === MINUS || (c >= ZERO && c <= NINE)) return plainNumberEnd(text, at);
  if (c === OPEN_OBJECT) return objectEnd(text, at, levels);
  if (c === OPEN_ARRAY) return arrayEnd(text, at, levels);
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, at)) return at + word.length;
  return -1;
}

function objectEnd(text: string, at: number, levels: number): number {
  if (levels < 1) return -1;
  if (text.charCodeAt(at + 1) === CLOSE_OBJECT) return at + 2;
  const names: string[] = [];
  for (let i = at + 1; ; i++) {
    const nameEnd = plainStringEnd(text, i);
    if (nameEnd === -1 || text.charCodeAt(nameEnd) !== COLON) return -1;
    const name = text.slice(i + 1, nameEnd - 1);
    // names of array positions would change their place
    const first = name.charCodeAt(0);
    if ((first >= ZERO && first <= NINE) || name === '__proto__') return -1;
    if (names.length === MOST_NAMES || names.includes(name)) return -1;
    names.push(name);
    i = valueEnd(text, nameEnd + 1, levels - 1);
    if (i === -1) return -1;
    const next = text.charCodeAt(i);
    if (next === CLOSE_OBJECT) return i + 1;
    if (next !== COMMA) return -1;
  }
}

function arrayEnd(text: string, at: number, levels: number): number {
  if (levels < 1) return -1;
  if (text.charCodeAt(at + 1) === CLOSE_ARRAY) return at + 2;
  for (let i = at + 1; ; i++) {
    i = valueEnd(text, i, levels - 1);
    if (i === -1) return -1;
    const next = text.charCodeAt(i);
    if (next === CLOSE_ARRAY) return i + 1;
    if (next !== COMMA) return -1;
  }
}

function plainStringEnd(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return -1;
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) return i + 1;
    if (c < 32 || c > 126 || c === BACKSLASH) return -1;
  }
  return -1;
}

/** A number that is written as JavaScript would: no exponent, no zero at the end of a fraction, not `-0`. */
function plainNumberEnd(text: string, at: number): number {
  const start = text.charCodeAt(at) === MINUS ? at + 1 : at;
  const wholeEnd = digitsEnd(text, start);
  const isZero = text.charCodeAt(start) === ZERO;
  if (wholeEnd === start || (isZero && wholeEnd > start + 1)) return -1;
  let end = wholeEnd;
  if (text.charCodeAt(wholeEnd) === POINT) {
    end = digitsEnd(text, wholeEnd + 1);
    if (end === wholeEnd + 1 || text.charCodeAt(end - 1) === ZERO) return -1;
    // from 1e-7 on, JavaScript writes exponents
    if (isZero && text.startsWith('000000', wholeEnd + 1)) return -1;
  } else if (isZero && start > at) return -1;
  const next = text.charCodeAt(end);
  return end - start > MOST_DIGITS || next === 101 || next === 69 ? -1 : end;
}

function digitsEnd(text: string, at: number): number {
  let i = at;
  for (let c = text.charCodeAt(i); c >= ZERO && c <= NINE; c = text.charCodeAt(i)) i++;
  return i;
}
