import { isJsonObject, type JsonValue } from '../../../model/json.js';
import type { Scalar } from '../../../filters/index.js';

/**
 * Keys of the table `values`, in bytes:
 *
 * | bytes | |
 * | --- | --- |
 * | 4 | number of the index, big-endian |
 * | 1 | space: the value itself (each record that has the key has one such entry), or an element of an array |
 * | 1 | bracket: what kind of value, in the order of BSON |
 * | | the value, so that bytes have its order; of objects and arrays nothing |
 * | | endpoint id, in UTF-8 |
 *
 * No UTF-8 has a byte 0xFF, so that `<value> 0xFF` comes after all entries of a value.
 */
export const Space = { own: 0, element: 1 } as const;
export type Space = (typeof Space)[keyof typeof Space];

/** `anything`: an array of so many elements that they are not listed. */
const Bracket = { anything: 1, null: 5, number: 10, text: 15, object: 20, array: 25, boolean: 40 } as const;

const HEAD_BYTES = 6;
const AFTER = Buffer.from([0xff]);
/** Code points of a text that stand in an entry: more would be too long for a key. */
const TEXT_POINTS = 100;
/** An array of more distinct elements is one entry, that each query on elements has to look at. */
const MOST_ELEMENTS = 64;

/** Bytes from `start` to before `end`, after the number and the space. */
export interface ByteRange {
  start: Buffer;
  end: Buffer;
}

/** What an index has to find. `exact`: entries in it are what is meant, without a look at records. */
export interface Ranges {
  ranges: ByteRange[];
  exact: boolean;
}

export const EVERYTHING: ByteRange = { start: Buffer.alloc(0), end: AFTER };
/** In the space of elements: arrays whose elements are not listed. */
export const UNLISTED: ByteRange = {
  start: Buffer.from([Bracket.anything]),
  end: Buffer.from([Bracket.anything + 1]),
};

export function headOf(number: number, space: Space): Buffer {
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32BE(number, 0);
  head[4] = space;
  return head;
}

/** All keys of entries for a value of an endpoint. */
export function entriesOf(number: number, value: JsonValue | undefined, id: Buffer): Buffer[] {
  if (value === undefined) return [];
  const own = headOf(number, Space.own);
  if (isJsonObject(value)) return [Buffer.concat([own, Buffer.from([Bracket.object]), id])];
  if (!Array.isArray(value)) return [Buffer.concat([own, bytesOf(value), id])];
  const entries = [Buffer.concat([own, Buffer.from([Bracket.array]), id])];
  const elements = new Map<string, Buffer>();
  for (const element of value) {
    if (typeof element === 'object' && element !== null) continue;
    const bytes = bytesOf(element);
    elements.set(bytes.toString('latin1'), bytes);
    if (elements.size > MOST_ELEMENTS) break;
  }
  const head = headOf(number, Space.element);
  const listed = elements.size > MOST_ELEMENTS ? [Buffer.from([Bracket.anything])] : elements.values();
  for (const bytes of listed) entries.push(Buffer.concat([head, bytes, id]));
  return entries;
}

/** The endpoint id of an entry. */
export function idOfEntry(entry: Buffer): string {
  return entry.toString('utf8', idPlaceOf(entry));
}

function idPlaceOf(entry: Buffer): number {
  switch (entry[HEAD_BYTES - 1]) {
    case Bracket.number:
      return HEAD_BYTES + 8;
    case Bracket.boolean:
      return HEAD_BYTES + 1;
    case Bracket.text:
      return entry.lastIndexOf(0) + 1; // no id has a NUL
    default:
      return HEAD_BYTES;
  }
}

export function rangeOfValue(value: Scalar): { range: ByteRange; exact: boolean } {
  const start = bytesOf(value);
  return { range: { start, end: Buffer.concat([start, AFTER]) }, exact: isWhole(value) };
}

export function rangeOfOrder(
  ordering: 'lt' | 'lte' | 'gt' | 'gte',
  operand: Exclude<Scalar, null>,
): { range: ByteRange; exact: boolean } {
  const bytes = bytesOf(operand);
  const bracket = bytes[0]!;
  const first = Buffer.from([bracket]);
  const last = Buffer.from([bracket + 1]);
  const behind = Buffer.concat([bytes, AFTER]);
  const exact = isWhole(operand);
  switch (ordering) {
    case 'lt':
      return { range: { start: first, end: exact ? bytes : behind }, exact };
    case 'lte':
      return { range: { start: first, end: behind }, exact };
    case 'gt':
      return { range: { start: exact ? behind : bytes, end: last }, exact };
    case 'gte':
      return { range: { start: bytes, end: last }, exact };
  }
}

/** In order, and what overlaps as one: then no entry is in two of them. */
export function merged(ranges: readonly ByteRange[]): ByteRange[] {
  const result: ByteRange[] = [];
  for (const range of [...ranges].sort((a, b) => Buffer.compare(a.start, b.start))) {
    const last = result.at(-1);
    if (last === undefined || Buffer.compare(range.start, last.end) >= 0) result.push({ ...range });
    else if (Buffer.compare(range.end, last.end) > 0) last.end = range.end;
  }
  return result;
}

/** What is in both. Each must be {@link merged}. */
export function common(a: readonly ByteRange[], b: readonly ByteRange[]): ByteRange[] {
  const result: ByteRange[] = [];
  for (let i = 0, k = 0; i < a.length && k < b.length;) {
    const [x, y] = [a[i]!, b[k]!];
    const start = Buffer.compare(x.start, y.start) > 0 ? x.start : y.start;
    const end = Buffer.compare(x.end, y.end) < 0 ? x.end : y.end;
    if (Buffer.compare(start, end) < 0) result.push({ start, end });
    if (end === x.end) i++;
    else k++;
  }
  return result;
}

/** Whether an entry tells this value from all others. */
function isWhole(value: Scalar): boolean {
  return typeof value !== 'string' || (value.length < TEXT_POINTS && !/\p{Surrogate}/u.test(value));
}

/** A bracket and a value: bytes in the order of values. */
function bytesOf(value: Scalar): Buffer {
  if (value === null) return Buffer.from([Bracket.null]);
  if (typeof value === 'boolean') return Buffer.from([Bracket.boolean, value ? 1 : 0]);
  return typeof value === 'number' ? bytesOfNumber(value) : bytesOfText(value);
}

/** IEEE 754 in the order of numbers: positive ones with the sign turned, negative ones with all bits turned. */
function bytesOfNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = Bracket.number;
  bytes.writeDoubleBE(value === 0 ? 0 : value, 1); // -0 is 0
  if (bytes[1]! < 0x80) bytes[1]! ^= 0x80;
  else for (let i = 1; i < 9; i++) bytes[i]! ^= 0xff;
  return bytes;
}

/** UTF-8, whose order is that of code points; it ends with 0, and a NUL in it is 0 0xFF. */
function bytesOfText(text: string): Buffer {
  const cut =
    text.length <= TEXT_POINTS
      ? text
      : Array.from(text.slice(0, TEXT_POINTS * 2))
          .slice(0, TEXT_POINTS)
          .join('');
  const escaped = cut.includes('\0') ? cut.split('\0').map((part) => Buffer.from(part)) : [Buffer.from(cut)];
  const parts: Buffer[] = [Buffer.from([Bracket.text])];
  escaped.forEach((part, i) => {
    if (i > 0) parts.push(Buffer.from([0, 0xff]));
    parts.push(part);
  });
  parts.push(Buffer.from([0]));
  return Buffer.concat(parts);
}
