import type { Command } from '../model/command.js';
import { diffMetadata, type MetadataDiff } from '../model/diff.js';
import type { EndpointLimits } from '../model/endpoint.js';
import { type Refusal, refuse } from '../model/errors.js';
import {
  isJsonObject,
  jsonEquals,
  type JsonObject,
  type JsonValue,
  nestingOf,
  pointerToken,
} from '../model/json.js';
import { applyJsonPatch, applyMergePatch } from '../model/json-patch.js';

/** Metadata after a command, with its text and what changed; or why not. */
export type MetadataChange =
  { kind: 'changed'; metadata: JsonObject; text: string; diff: MetadataDiff } | Refusal;

type MetadataCommand = Extract<
  Command,
  { type: 'replace-metadata' | 'json-patch' | 'merge-patch' | 'set-key' | 'delete-key' | 'change-keys' }
>;

/**
 * What a command makes of an endpoint's metadata; checked against the limits. `before` is not changed. O(metadata).
 */
export function changeMetadata(
  { metadata: before, metadataText }: { metadata: JsonObject; metadataText: string },
  command: MetadataCommand,
  limits: LimitChecks,
): MetadataChange {
  if (command.type === 'set-key') return setKey(before, metadataText, command, limits);
  const after = wishedMetadata(before, command, limits);
  if ('kind' in after) return after;
  const diff = diffMetadata(before, after.metadata);
  if (command.type !== 'delete-key') keepUnchanged(before, after.metadata, diff);
  return checkMetadata(after.metadata, diff, limits);
}

/** The most frequent change: only one key is compared, and only its value is written anew. */
function setKey(
  before: JsonObject,
  textBefore: string,
  { key, valueText }: Extract<Command, { type: 'set-key' }>,
  limits: LimitChecks,
): MetadataChange {
  const value = JSON.parse(valueText) as JsonValue;
  const metadata = { ...before, [key]: value };
  if (!Object.hasOwn(before, key))
    return checkMetadata(metadata, { added: [key], updated: [], removed: [] }, limits);
  if (jsonEquals(before[key]!, value))
    return checkMetadata(metadata, { added: [], updated: [], removed: [] }, limits, textBefore);
  const text = replaceValue(textBefore, key, before[key]!, value);
  return checkMetadata(metadata, { added: [], updated: [key], removed: [] }, limits, text);
}

/** JSON text with another value of a key; undefined where the key's place is not certain. */
function replaceValue(text: string, key: string, before: JsonValue, after: JsonValue): string | undefined {
  // quotes inside of strings are escaped, so that this is a key; when it is the only one, it is not in a nested object
  const name = `${JSON.stringify(key)}:`;
  const at = text.indexOf(name);
  if (at === -1 || text.includes(name, at + 1)) return undefined;
  const start = at + name.length;
  const old = JSON.stringify(before);
  const end = start + old.length;
  if (!text.startsWith(old, start) || (text[end] !== ',' && text[end] !== '}')) return undefined;
  return text.slice(0, start) + JSON.stringify(after) + text.slice(end);
}

/** The metadata of a registration, checked. */
export function initialMetadata(metadata: JsonObject, limits: LimitChecks): MetadataChange {
  return checkMetadata(metadata, { added: Object.keys(metadata), updated: [], removed: [] }, limits);
}

/** Limits made ready for use. */
export interface LimitChecks extends EndpointLimits {
  keyPattern: RegExp;
  restricted: ReadonlySet<string>;
}

export function prepareLimits(limits: EndpointLimits): LimitChecks {
  return {
    ...limits,
    keyPattern: new RegExp(limits.metadataKeyPattern),
    restricted: new Set(limits.restrictedKeys),
  };
}

function wishedMetadata(
  before: JsonObject,
  command: Exclude<MetadataCommand, { type: 'set-key' }>,
  limits: LimitChecks,
): { metadata: JsonObject } | Refusal {
  switch (command.type) {
    case 'replace-metadata':
      return { metadata: JSON.parse(command.metadataText) as JsonObject };
    case 'json-patch': {
      // the patch works in place, so it gets a copy; what it may copy itself is bounded by what may be stored
      const patched = applyJsonPatch(
        structuredClone(before),
        JSON.parse(command.patchText) as JsonValue,
        limits.endpointBytes,
      );
      if (!patched.ok) {
        const path = `/${patched.index}`;
        const message = `Operation ${patched.index} of the patch: ${patched.message}`;
        return refuse(patched.test ? 'patch-test-failed' : 'invalid-patch', message, [
          { path, message: patched.message },
        ]);
      }
      if (!isJsonObject(patched.value))
        return refuse('invalid-patch', 'The patch would make the metadata something else than an object.');
      return { metadata: patched.value };
    }
    case 'merge-patch': {
      const merged = applyMergePatch(before, JSON.parse(command.patchText) as JsonValue);
      if (!isJsonObject(merged)) return refuse('invalid-patch', 'A merge patch of metadata is an object.');
      return { metadata: merged };
    }
    case 'delete-key': {
      if (!Object.hasOwn(before, command.key)) {
        return refuse(
          'metadata-key-not-found',
          `The endpoint "${command.endpointId}" has no metadata key "${command.key}".`,
        );
      }
      const metadata = { ...before };
      delete metadata[command.key];
      return { metadata };
    }
    case 'change-keys': {
      const metadata = Object.assign({ ...before }, JSON.parse(command.setText) as JsonObject);
      for (const key of command.unset) delete metadata[key];
      return { metadata };
    }
  }
}

/**
 * A value that came with its keys in another order is the same value, and stays as it is stored: filters see the order
 * of keys in sub-documents, and they are asked about changed keys only.
 */
function keepUnchanged(before: JsonObject, after: JsonObject, diff: MetadataDiff): void {
  const changed = new Set([...diff.added, ...diff.updated]);
  for (const key of Object.keys(after)) if (!changed.has(key)) after[key] = before[key]!;
}

/** @param knownText the metadata as JSON, where it is known */
function checkMetadata(
  metadata: JsonObject,
  diff: MetadataDiff,
  limits: LimitChecks,
  knownText?: string,
): MetadataChange {
  const invalid = diff.added.filter((key) => key === '__proto__' || !limits.keyPattern.test(key));
  if (invalid.length > 0) {
    return refuseKeys('invalid-metadata-key', invalid, (key) =>
      key === '__proto__'
        ? `The metadata key "__proto__" is not allowed: it is reserved.`
        : `The metadata key ${JSON.stringify(key.slice(0, 200))} is not allowed; a key matches ${limits.metadataKeyPattern}.`,
    );
  }
  if (limits.restricted.size > 0) {
    const restricted = [...diff.added, ...diff.updated, ...diff.removed].filter((key) =>
      limits.restricted.has(key),
    );
    if (restricted.length > 0) {
      return refuseKeys(
        'key-restricted',
        restricted,
        (key) => `The metadata key "${key}" is restricted: it can not be written here.`,
      );
    }
  }
  for (const keys of [diff.added, diff.updated]) {
    for (const key of keys) {
      if (nestingOf(metadata[key]!, limits.nesting) > limits.nesting) {
        const message = `The value of "${key}" is nested deeper than ${limits.nesting} levels.`;
        return refuse('nested-too-deep', message, [{ path: pointerTo(key), message }]);
      }
    }
  }
  const count = diff.added.length === 0 ? 0 : Object.keys(metadata).length;
  if (count > limits.metadataKeys) {
    return refuse(
      'too-many-keys',
      `The endpoint would have ${count} metadata keys; ${limits.metadataKeys} are allowed.`,
    );
  }
  const text = knownText ?? JSON.stringify(metadata);
  if (text.length * 3 > limits.endpointBytes && diff.added.length + diff.updated.length > 0) {
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.endpointBytes) {
      return refuse(
        'endpoint-too-large',
        `The metadata would be ${bytes} bytes; ${limits.endpointBytes} are allowed.`,
      );
    }
  }
  return { kind: 'changed', metadata, text, diff };
}

/** Names every bad key in the details (the first 100 of them), and the first few in the message. */
function refuseKeys(
  code: 'invalid-metadata-key' | 'key-restricted',
  keys: readonly string[],
  say: (key: string) => string,
): Refusal {
  const more = keys.length > 3 ? ` ${keys.length - 3} more keys are not allowed either.` : '';
  return refuse(
    code,
    keys.slice(0, 3).map(say).join(' ') + more,
    keys.slice(0, 100).map((key) => ({ path: pointerTo(key), message: say(key) })),
  );
}

function pointerTo(key: string): string {
  return `/${pointerToken(key.slice(0, 200))}`;
}
