import { mix } from '../../model/hash.js';

// What is looked up in the dictionary, as numbers.

export function constantCode(value: null | boolean): number {
  return value === null ? 0 : value ? 2 : 1;
}

/** Three UTF-16 units as one number. */
export function gramCode(text: string, at: number): number {
  return text.charCodeAt(at) + text.charCodeAt(at + 1) * 2 ** 16 + text.charCodeAt(at + 2) * 2 ** 32;
}

/** The text of a gram's code. */
export function gramOf(code: number): string {
  return String.fromCharCode(
    code % 2 ** 16,
    Math.floor(code / 2 ** 16) % 2 ** 16,
    Math.floor(code / 2 ** 32),
  );
}

const FLOAT = new Float64Array(1);
const WORDS = new Int32Array(FLOAT.buffer);

export function hashNumberTrait(what: number, value: number): number {
  // 0 for -0, which equals it.
  FLOAT[0] = value + 0;
  return mix(Math.imul(WORDS[0]! ^ Math.imul(WORDS[1]!, 0x9e3779b1), 0x85ebca6b) ^ what);
}

export function hashTextTrait(what: number, value: string): number {
  return mix(hashText(value) ^ Math.imul(what, 0x9e3779b1));
}

/** FNV-1a over UTF-16 units; of long texts, over both ends. */
export function hashText(text: string): number {
  const { length } = text;
  let hash = 0x811c9dc5 ^ length;
  const head = Math.min(length, HASHED_UNITS);
  for (let i = 0; i < head; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  for (let i = Math.max(head, length - HASHED_UNITS); i < length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

const HASHED_UNITS = 32;
