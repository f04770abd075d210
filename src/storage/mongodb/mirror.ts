import type { JsonObject, JsonValue } from '../../model/json.js';

/** The queried form of one metadata key, as the filter language sees it. */
export interface MirrorEntry {
  key: string;
  value: unknown;
}

/**
 * Metadata as filters query it. Only a mirror: what is answered to callers is the record's bytes.
 *
 * MongoDB 4.4 stores no key that begins with `$`, and BSON no key with a NUL; in the mirror these are U+FF04 and U+2400.
 * That is sound for queries: literals and paths of a query are written the same way ({@link storable},
 * {@link storableKey}), so a query that names such a key finds it. Only a document that has both forms of one key side
 * by side could be mistaken.
 */
export function mirrorOf(metadata: JsonObject): MirrorEntry[] {
  return Object.keys(metadata).map((key) => ({ key, value: storable(metadata[key]!) }));
}

export function storableKey(key: string): string {
  const noDollar = key.startsWith('$') ? `＄${key.slice(1)}` : key;
  return noDollar.includes('\0') ? noDollar.replaceAll('\0', '␀') : noDollar;
}

/**
 * A JSON value that the driver writes as it stands. Numbers: integral within 32 bits is an int, all else (-0 too) a double.
 * Objects are copied only where they need it, as a Map: there the keys `_bsontype` and `__proto__` are keys as any other.
 */
export function storable(value: JsonValue): unknown {
  return isStorable(value) ? value : copyStorable(value);
}

function isStorable(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isStorable);
  for (const key of Object.keys(value)) {
    if (key.startsWith('$') || key.includes('\0') || key === '_bsontype' || key === '__proto__') return false;
    if (!isStorable(value[key]!)) return false;
  }
  return true;
}

function copyStorable(value: JsonValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyStorable);
  return new Map(Object.keys(value).map((key) => [storableKey(key), copyStorable(value[key]!)]));
}
