import type { Api } from './api.js';
import type { Fault, JsonValue, Metadata } from './api-types.js';
import { getMetadata, removeKey, setKey } from './operations.js';

/** A wished change of one key, and the value that its author saw; `undefined`: there was none. */
export interface KeyEdit {
  key: string;
  seen: JsonValue | undefined;
  /** JSON text; `undefined`: the key is to go */
  wanted: string | undefined;
}

export type EditOutcome =
  | { kind: 'saved' }
  /** somebody else changed this very key meanwhile */
  | { kind: 'conflict'; now: JsonValue | undefined; etag: string }
  | { kind: 'fault'; fault: Fault };

/** Devices that report every second change other keys all the time; that often we follow them. */
const ATTEMPTS = 5;

/**
 * Changes one key under `If-Match`, so that nothing that its author has not seen is overwritten. A change of other keys
 * meanwhile is none of its business: it takes the new ETag and goes on. A change of this key is a conflict.
 */
export async function saveKey(
  api: Api,
  endpointId: string,
  edit: KeyEdit,
  etag: string,
): Promise<EditOutcome> {
  const { key, seen, wanted } = edit;
  let tag = etag;
  if (seen === undefined) {
    // the state that the tag names may have the key: its author did not look there
    const present = await getMetadata(api, endpointId);
    if (!present.ok) return { kind: 'fault', fault: present.fault };
    tag = present.etag ?? tag;
    const now = valueAt(present.value, key);
    if (now !== undefined) return { kind: 'conflict', now, etag: tag };
  }
  for (let attempt = 1; ; attempt++) {
    const answer =
      wanted === undefined
        ? await removeKey(api, endpointId, key, tag)
        : await setKey(api, endpointId, key, wanted, tag);
    if (answer.ok) return { kind: 'saved' };
    if (answer.fault.status !== 412 && answer.fault.code !== 'metadata-key-not-found')
      return { kind: 'fault', fault: answer.fault };
    const present = await getMetadata(api, endpointId);
    if (!present.ok) return { kind: 'fault', fault: present.fault };
    const now = valueAt(present.value, key);
    const goal = wanted === undefined ? undefined : (JSON.parse(wanted) as JsonValue);
    if (sameJson(now, goal)) return { kind: 'saved' };
    tag = present.etag ?? tag;
    if (!sameJson(now, seen)) return { kind: 'conflict', now, etag: tag };
    if (attempt === ATTEMPTS) return { kind: 'fault', fault: answer.fault };
  }
}

/** Own values only: a key may be called `constructor`. */
export function valueAt(metadata: Metadata, key: string): JsonValue | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}

/** Equal as JSON, whatever the order of keys. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((each, i) => sameJson(each, b[i]));
  }
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => sameJson(a[name], valueAt(b, name)));
}

/** Keys whose values differ, sorted. */
export function changedKeys(before: Metadata, after: Metadata): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !sameJson(valueAt(before, name), valueAt(after, name))).sort();
}
