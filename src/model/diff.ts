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

/**
 * What changes that follow each other come to, from before the first to after the last. A key that was updated and then
 * removed is `removed`; one that was removed and came back is `updated`, though it may have its first value again.
 * O(keys of all); a single one is its own sum.
 */
export function sumOfDiffs(diffs: readonly MetadataDiff[]): MetadataDiff {
  const [first] = diffs;
  if (first !== undefined && diffs.length === 1) return first;
  const net = new Map<string, keyof MetadataDiff>();
  for (const { added, updated, removed } of diffs) {
    for (const key of added) net.set(key, net.get(key) === 'removed' ? 'updated' : 'added');
    for (const key of updated) if (!net.has(key)) net.set(key, 'updated');
    for (const key of removed) {
      if (net.get(key) === 'added') net.delete(key);
      else net.set(key, 'removed');
    }
  }
  const sum: MetadataDiff = { added: [], updated: [], removed: [] };
  for (const [key, change] of net) sum[change].push(key);
  return sum;
}

export function isEmptyDiff(diff: MetadataDiff): boolean {
  return diff.added.length === 0 && diff.updated.length === 0 && diff.removed.length === 0;
}
