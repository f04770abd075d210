import { isJsonObject, type JsonObject, type JsonValue, jsonEquals } from './json.js';

/**
 * A patch's result, or what can't be done: the number of the operation (from 0; absent: it is no patch), and whether it was a
 * `test`.
 */
export type Patched =
  { ok: true; value: JsonValue } | { ok: false; test: boolean; index?: number; message: string };

/** Levels of nesting that `copy` takes: more than may be stored, few enough for a recursion. */
const MAX_COPIED_LEVELS = 500;

/** A value with the place where it stands; the root stands in no place. */
interface Place {
  holder: JsonObject | JsonValue[] | undefined;
  /** of the holder: a key, or an index; `-` is resolved to the length */
  key: string | number;
  exists: boolean;
  value: JsonValue;
}

class PatchFault extends Error {
  constructor(
    message: string,
    readonly test = false,
  ) {
    super(message);
  }
}

/**
 * Applies a JSON Patch (RFC 6902). Changes `document`, also when it fails: give it a copy. What `copy` duplicates counts
 * against `maxCopied` JSON values, for without a bound a short patch could double the document at each operation.
 * O(operations x depth + values copied and compared).
 */
export function applyJsonPatch(document: JsonValue, patch: JsonValue, maxCopied: number): Patched {
  if (!Array.isArray(patch)) {
    const found = isJsonObject(patch) ? 'an object' : (JSON.stringify(patch) ?? '').slice(0, 80);
    const message = `A JSON Patch is an array of operations, such as [{"op":"add","path":"/city","value":"Kyiv"}]; found ${found}.`;
    return { ok: false, test: false, message };
  }
  let index = 0;
  try {
    const root: { value: JsonValue; copies: number } = { value: document, copies: maxCopied };
    for (; index < patch.length; index++) applyOperation(root, patch[index]!);
    return { ok: true, value: root.value };
  } catch (error) {
    if (!(error instanceof PatchFault)) throw error;
    return { ok: false, test: error.test, index, message: error.message };
  }
}

/** RFC 7396. Shares parts of `patch`; changes neither. O(patch). */
export function applyMergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key]!;
    if (value === null) delete merged[key];
    else merged[key] = applyMergePatch(Object.hasOwn(merged, key) ? merged[key] : undefined, value);
  }
  return merged;
}

function applyOperation(root: { value: JsonValue; copies: number }, operation: JsonValue): void {
  if (!isJsonObject(operation)) throw new PatchFault('An operation is an object.');
  const op = operation['op'];
  const path = pointerOf(operation, 'path');
  switch (op) {
    case 'add':
      put(root, locate(root.value, path), valueOf(operation), true);
      break;
    case 'replace':
      put(root, existing(root.value, path), valueOf(operation), false);
      break;
    case 'remove':
      remove(root, existing(root.value, path));
      break;
    case 'move': {
      const from = pointerOf(operation, 'from');
      if (path.length > from.length && from.every((part, i) => part === path[i]))
        throw new PatchFault('A value can not be moved into itself.');
      const source = existing(root.value, from);
      remove(root, source);
      put(root, locate(root.value, path), source.value, true);
      break;
    }
    case 'copy': {
      const source = existing(root.value, pointerOf(operation, 'from'));
      root.copies -= sizeOf(source.value, MAX_COPIED_LEVELS);
      if (root.copies < 0) throw new PatchFault('The patch copies more than is allowed.');
      put(root, locate(root.value, path), structuredClone(source.value), true);
      break;
    }
    case 'test': {
      const value = valueOf(operation);
      const place = find(root.value, path);
      if (!place?.exists) throw new PatchFault(`There is nothing at ${show(path)}.`, true);
      if (!jsonEquals(place.value, value))
        throw new PatchFault(`The value at ${show(path)} is another.`, true);
      break;
    }
    default:
      throw new PatchFault(
        `"op" is one of add, remove, replace, move, copy, test; found ${JSON.stringify(op) ?? 'none'}.`,
      );
  }
}

function valueOf(operation: JsonObject): JsonValue {
  if (!Object.hasOwn(operation, 'value')) throw new PatchFault('The operation has no "value".');
  return operation['value']!;
}

/** The reference tokens of a JSON Pointer (RFC 6901). */
function pointerOf(operation: JsonObject, member: 'path' | 'from'): string[] {
  const pointer = Object.hasOwn(operation, member) ? operation[member] : undefined;
  if (typeof pointer !== 'string') throw new PatchFault(`The operation has no "${member}".`);
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new PatchFault(`"${member}" is a JSON Pointer: it begins with "/".`);
  if (/~(?![01])/.test(pointer)) throw new PatchFault(`"${member}" has a "~" that is not "~0" or "~1".`);
  const parts = pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (parts.includes('__proto__')) throw new PatchFault('The key "__proto__" is not allowed.');
  return parts;
}

function show(path: readonly string[]): string {
  return path.length === 0 ? 'the root' : `"/${path.join('/').slice(0, 200)}"`;
}

/** The place that a path names, existing or not; undefined when what should hold it is not there. */
function find(root: JsonValue, path: readonly string[]): Place | undefined {
  let place: Place = { holder: undefined, key: '', exists: true, value: root };
  for (const part of path) {
    const holder = place.value;
    if (!place.exists || typeof holder !== 'object' || holder === null) return undefined;
    if (Array.isArray(holder)) {
      if (part !== '-' && !/^(0|[1-9][0-9]{0,8})$/.test(part)) return undefined;
      const index = part === '-' ? holder.length : Number(part);
      if (index > holder.length) return undefined;
      place = { holder, key: index, exists: index < holder.length, value: holder[index] ?? null };
    } else {
      const exists = Object.hasOwn(holder, part);
      place = { holder, key: part, exists, value: exists ? holder[part]! : null };
    }
  }
  return place;
}

function locate(root: JsonValue, path: readonly string[]): Place {
  const place = find(root, path);
  if (place === undefined) throw new PatchFault(`There is no place ${show(path)}.`);
  return place;
}

function existing(root: JsonValue, path: readonly string[]): Place {
  const place = locate(root, path);
  if (!place.exists) throw new PatchFault(`There is nothing at ${show(path)}.`);
  return place;
}

function put(root: { value: JsonValue }, place: Place, value: JsonValue, insert: boolean): void {
  if (place.holder === undefined) root.value = value;
  else if (!Array.isArray(place.holder)) place.holder[place.key] = value;
  else if (insert) place.holder.splice(place.key as number, 0, value);
  else place.holder[place.key as number] = value;
}

function remove(root: { value: JsonValue }, place: Place): void {
  if (place.holder === undefined) root.value = null;
  else if (Array.isArray(place.holder)) place.holder.splice(place.key as number, 1);
  else delete place.holder[place.key];
}

function sizeOf(value: JsonValue, levels: number): number {
  if (typeof value === 'string') return 1 + value.length / 16;
  if (typeof value !== 'object' || value === null) return 1;
  if (levels === 0) throw new PatchFault(`A value of more than ${MAX_COPIED_LEVELS} levels is not copied.`);
  let size = 1;
  for (const inner of Object.values(value)) size += sizeOf(inner, levels - 1);
  return size;
}
