import type { JsonValue } from '../model/json.js';
import type { ElementTest } from './expression.js';
import { compilePattern } from './pattern/pattern.js';
import { describe } from './query-parsing.js';

export type OperandResult = { ok: true; test: ElementTest } | { ok: false; message: string };

const TYPE_CODES: Readonly<Record<string, readonly number[]>> = {
  double: [1],
  string: [2],
  object: [3],
  array: [4],
  binData: [5],
  undefined: [6],
  objectId: [7],
  bool: [8],
  date: [9],
  null: [10],
  regex: [11],
  dbPointer: [12],
  javascript: [13],
  symbol: [14],
  javascriptWithScope: [15],
  int: [16],
  timestamp: [17],
  long: [18],
  decimal: [19],
  minKey: [-1],
  maxKey: [127],
  number: [1, 16, 18, 19],
};

/** `$type`: a name, a code, or an array of them. Which codes JSON values have: see typeCodeOf. */
export function parseType(operand: JsonValue): OperandResult {
  const wanted = Array.isArray(operand) ? operand : [operand];
  if (wanted.length === 0) return failed('$type needs at least one type, not an empty array.');
  const codes = new Set<number>();
  for (const type of wanted) {
    const found =
      typeof type === 'string' ? codesOfName(type) : typeof type === 'number' ? codesOfCode(type) : undefined;
    if (found === undefined) {
      const names = Object.keys(TYPE_CODES).join(', ');
      const missing = type === 0 || type === 'missing' ? ' For a missing field use {"$exists": false}.' : '';
      return failed(
        `$type does not know ${describe(type)}.${missing} It takes ${names}, or their BSON codes.`,
      );
    }
    found.forEach((code) => codes.add(code));
  }
  return { ok: true, test: { kind: 'type', codes: [...codes].sort((a, b) => a - b) } };
}

function codesOfName(name: string): readonly number[] | undefined {
  return Object.hasOwn(TYPE_CODES, name) ? TYPE_CODES[name] : undefined;
}

function codesOfCode(code: number): readonly number[] | undefined {
  const isKnown = Number.isInteger(code) && ((code >= 1 && code <= 19) || code === -1 || code === 127);
  return isKnown ? [code] : undefined;
}

export function parseSize(operand: JsonValue): OperandResult {
  const isSize =
    typeof operand === 'number' && Number.isInteger(operand) && operand >= 0 && operand < 2 ** 31;
  if (!isSize) return failed(`$size needs a whole number from 0 to 2147483647, not ${describe(operand)}.`);
  return { ok: true, test: { kind: 'size', size: operand } };
}

/** `$mod`: fractions of the operands are cut off, as MongoDB does. */
export function parseMod(operand: JsonValue): OperandResult {
  if (!Array.isArray(operand) || operand.length !== 2) {
    return failed(`$mod needs an array of two numbers, [divisor, remainder], not ${describe(operand)}.`);
  }
  const numbers: number[] = [];
  for (const value of operand) {
    const whole = typeof value === 'number' ? Math.trunc(value) : NaN;
    if (!(whole >= -(2 ** 63) && whole < 2 ** 63)) {
      return failed(`$mod needs numbers that fit into 64 bits, not ${describe(value)}.`);
    }
    numbers.push(whole);
  }
  const [divisor, remainder] = numbers as [number, number];
  if (divisor === 0) return failed(`The divisor of $mod can't be 0 (${describe(operand[0]!)}).`);
  return { ok: true, test: { kind: 'mod', divisor, remainder } };
}

export function parseRegex(
  pattern: JsonValue,
  options: JsonValue | undefined,
  maxPatternBytes: number,
): OperandResult {
  if (typeof pattern !== 'string') return failed(`$regex needs a string, not ${describe(pattern)}.`);
  if (options !== undefined && typeof options !== 'string') {
    return failed(`$options needs a string of the letters i, m, s and x, not ${describe(options)}.`);
  }
  const bytes = Buffer.byteLength(pattern);
  if (bytes > maxPatternBytes) {
    return failed(`The regular expression has ${bytes} bytes, ${maxPatternBytes} are allowed.`);
  }
  const compiled = compilePattern(pattern, options ?? '');
  if (!compiled.ok) return failed(`${compiled.message.charAt(0).toUpperCase()}${compiled.message.slice(1)}.`);
  return { ok: true, test: { kind: 'regex', pattern, options: options ?? '' } };
}

function failed(message: string): OperandResult {
  return { ok: false, message };
}
