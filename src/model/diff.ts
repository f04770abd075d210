import { type JsonObject, jsonEquals } from './json.js';

/** Keys of the metadata that a change added, updated and removed. Values are in the two objects compared. */
export interface MetadataDiff {
  added: string[];
  updated: string[];
  removed: string[];
}

/** O(keys, plus the size of values that are not the same object). */
export function diffMetadata(before: JsonObject, after: JsonObject): MetadataDiff {
  const diff: MetadataDiff = { added: [], updated: [], removed: [] };
  for (const key of Object.keys(after)) {
    if (!Object.hasOwn(before, key)) diff.added.push(key);
    else if (!jsonEquals(before[key]!, after[key]!)) diff.updated.push(key);
  }
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) diff.removed.push(key);
  return diff;
}

export function isEmptyDiff(diff: MetadataDiff): boolean {
  return diff.added.length === 0 && diff.updated.length === 0 && diff.removed.length === 0;
}
