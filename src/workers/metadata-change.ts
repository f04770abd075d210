import type { Command } from '../model/command.js';
import { diffMetadata, isEmptyDiff, type MetadataDiff } from '../model/diff.js';
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
import { MetadataText } from '../model/metadata-text.js';

/** Metadata after a command, and what changed; or why not. */
export type MetadataChange = { kind: 'changed'; metadata: MetadataText; diff: MetadataDiff } | Refusal;

type MetadataCommand = Extract<
  Command,
  { type: 'replace-metadata' | 'json-patch' | 'merge-patch' | 'set-key' | 'delete-key' | 'change-keys' }
>;

/**
 * What a command makes of an endpoint's metadata; checked against the limits. `before` is not changed. O(metadata).
 */
export function changeMetadata(
  before: MetadataText,
  command: MetadataCommand,
  limits: LimitChecks,
): MetadataChange {
  const direct = setValues(before, command, limits);
  if (direct !== undefined) return direct;
  const known = before.object();
  const after = wishedMetadata(known, command, limits);
  if ('kind' in after) return after;
  const diff = diffMetadata(known, after.metadata);
  if (command.type !== 'delete-key') keepUnchanged(known, after.metadata, diff);
  return checkMetadata(after.metadata, diff, limits);
}

/**
 * The most frequent changes: values of single keys, put into the text as it stands. Undefined for all that is not so
 * simple, and for what will be refused, so that it is said in one place only.
 */
function setValues(
  before: MetadataText,
  command: MetadataCommand,
  limits: LimitChecks,
): MetadataChange | undefined {
  const wished = wishedValues(command);
  if (wished === undefined) return undefined;
  const diff: MetadataDiff = { added: [], updated: [], removed: [] };
  for (const key of wished.keys()) {
    const text = wished.valueText(key)!;
    const textBefore = before.valueText(key);
    if (text === textBefore) continue;
    // it may be the same object with its keys in another order
    if (isContainer(text)) {
      const value = wished.value(key)!;
      if (textBefore !== undefined && jsonEquals(before.value(key)!, value)) continue;
      if (nestingOf(value, limits.nesting) > limits.nesting) return undefined;
    }
    if (limits.restricted.has(key)) return undefined;
    if (textBefore !== undefined) diff.updated.push(key);
    else if (limits.keyPattern.test(key) && key !== '__proto__') diff.added.push(key);
    else return undefined;
  }
  if (isEmptyDiff(diff)) return { kind: 'changed', metadata: before, diff };
  if (diff.added.length > 0 && before.keys().length + diff.added.length > limits.metadataKeys)
    return undefined;
  const metadata = before.with(diff.updated, diff.added, (key) => wished.valueText(key)!);
  if (metadata === undefined || isTooLarge(metadata.text, limits)) return undefined;
  return { kind: 'changed', metadata, diff };
}

function wishedValues(command: MetadataCommand): MetadataText | undefined {
  if (command.type === 'change-keys')
    return command.unset.length === 0 ? new MetadataText(command.setText) : undefined;
  if (command.type !== 'set-key') return undefined;
  const value = { [command.key]: JSON.parse(command.valueText) as JsonValue };
  return new MetadataText(JSON.stringify(value), value);
}

function isContainer(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 123 || first === 91; // { or [
}

function isTooLarge(text: string, limits: LimitChecks): boolean {
  // a UTF-16 unit is at most three bytes of UTF-8
  return text.length * 3 > limits.endpointBytes && Buffer.byteLength(text) > limits.endpointBytes;
}

/** The metadata of a registration, checked. */
export function initialMetadata(metadata: JsonObject, limits: LimitChecks): MetadataChange {
  return checkMetadata(metadata, { added: Object.keys(metadata), updated: [], removed: [] }, limits);
}

/** Why the metadata of a registration will be refused, if it will. O(metadata). */
export function metadataFault(metadata: JsonObject, limits: EndpointLimits): Refusal | undefined {
  const initial = initialMetadata(metadata, prepareLimits(limits));
  return initial.kind === 'refused' ? initial : undefined;
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
  command: MetadataCommand,
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
        if (patched.index === undefined)
          return refuse('invalid-patch', patched.message, [{ path: '', message: patched.message }]);
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
    case 'set-key':
      return { metadata: { ...before, [command.key]: JSON.parse(command.valueText) as JsonValue } };
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

function checkMetadata(metadata: JsonObject, diff: MetadataDiff, limits: LimitChecks): MetadataChange {
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
  const text = JSON.stringify(metadata);
  if (diff.added.length + diff.updated.length > 0 && isTooLarge(text, limits)) {
    return refuse(
      'endpoint-too-large',
      `The metadata would be ${Buffer.byteLength(text)} bytes; ${limits.endpointBytes} are allowed.`,
    );
  }
  return { kind: 'changed', metadata: new MetadataText(text, metadata), diff };
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
