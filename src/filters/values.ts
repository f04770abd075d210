import type { JsonObject, JsonValue } from '../model/json.js';

/** BSON's order of types, as far as JSON reaches. Missing (undefined) is its own bracket. */
export const Bracket = {
  missing: 0,
  null: 5,
  number: 10,
  string: 15,
  object: 20,
  array: 25,
  boolean: 40,
} as const;
export type Bracket = (typeof Bracket)[keyof typeof Bracket];

export function bracketOf(value: JsonValue | undefined): Bracket {
  switch (typeof value) {
    case 'number':
      return Bracket.number;
    case 'string':
      return Bracket.string;
    case 'boolean':
      return Bracket.boolean;
    case 'undefined':
      return Bracket.missing;
    default:
      if (value === null) return Bracket.null;
      return Array.isArray(value) ? Bracket.array : Bracket.object;
  }
}

/**
 * BSON type code of a value as the MongoDB driver for Node stores it: an integral number within 32 bits is an `int`
 * (16), any other number, -0 included, a `double` (1). A JSON value is never a `long` or a `decimal`.
 */
export function typeCodeOf(value: JsonValue | undefined): number {
  switch (typeof value) {
    case 'number':
      return (value | 0) === value && !Object.is(value, -0) ? 16 : 1;
    case 'string':
      return 2;
    case 'boolean':
      return 8;
    case 'undefined':
      return 0;
    default:
      if (value === null) return 10;
      return Array.isArray(value) ? 4 : 3;
  }
}

/**
 * Field of a document; of an array too, which BSON stores as a document with the names "0", "1", ...
 * Own properties only: "constructor" and "__proto__" are names like any other.
 */
export function fieldOf(container: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof container !== 'object' || container === null) return undefined;
  if (Array.isArray(container)) {
    const index = arrayIndexOf(name);
    return index < 0 ? undefined : container[index];
  }
  return Object.hasOwn(container, name) ? container[name] : undefined;
}

/** The array position that a path component names, or -1: "0" and "12" do, "01" and "-1" don't. */
export function arrayIndexOf(name: string): number {
  return /^(?:0|[1-9][0-9]{0,9})$/.test(name) ? Number(name) : -1;
}

/**
 * Order of two values of any types, as BSON has it: by type, then by value; NaN before all numbers; strings by their
 * UTF-8 bytes; documents field by field (type, name, value); arrays element by element. O(size of the smaller value).
 */
export function compareValues(a: JsonValue, b: JsonValue): number {
  const bracket = bracketOf(a);
  const difference = bracket - bracketOf(b);
  return difference !== 0 ? difference : compareSameBracket(a, b, bracket);
}

/** As compareValues, for values known to be of the same bracket. */
export function compareSameBracket(a: JsonValue, b: JsonValue, bracket: Bracket): number {
  switch (bracket) {
    case Bracket.number:
      return compareNumbers(a as number, b as number);
    case Bracket.string:
      return compareStrings(a as string, b as string);
    case Bracket.boolean:
      return Number(a) - Number(b);
    case Bracket.array:
      return compareArrays(a as JsonValue[], b as JsonValue[]);
    case Bracket.object:
      return compareObjects(a as JsonObject, b as JsonObject);
    case Bracket.null:
    case Bracket.missing:
      return 0;
  }
}

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}

/** UTF-8 byte order, which is code point order; UTF-16 order differs from it where surrogates meet U+E000..U+FFFF. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rankOfUnit(x) - rankOfUnit(y);
  }
  return a.length - b.length;
}

/** Code point order of UTF-16 units: surrogates come after U+E000..U+FFFF. */
export function rankOfUnit(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function compareArrays(a: JsonValue[], b: JsonValue[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = compareValues(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: JsonObject, b: JsonObject): number {
  const namesOfA = Object.keys(a);
  const namesOfB = Object.keys(b);
  const length = Math.min(namesOfA.length, namesOfB.length);
  for (let i = 0; i < length; i++) {
    const nameOfA = namesOfA[i]!;
    const nameOfB = namesOfB[i]!;
    const x = a[nameOfA]!;
    const y = b[nameOfB]!;
    const bracket = bracketOf(x);
    const order =
      bracket - bracketOf(y) || compareStrings(nameOfA, nameOfB) || compareSameBracket(x, y, bracket);
    if (order !== 0) return order;
  }
  return namesOfA.length - namesOfB.length;
}
