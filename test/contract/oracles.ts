import fastJsonPatch, { type Operation } from 'fast-json-patch';
import type { FilterDocument } from '../../src/filters/index.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/model/json.js';
import { MINGO_LEFT_OUT } from '../filters/fuzz/left-out/libraries.js';
import { trustOf } from '../filters/fuzz/trust.js';
import { mingoMatches } from '../filters/oracles.js';
import { storedForm } from '../filters/random-queries.js';
import { referenceMatches } from '../filters/reference.js';

/** Whether a document fulfils a query of the filter language: mingo's word, or the manual's where mingo is known to differ. */
export function fulfils(query: JsonObject, document: FilterDocument): boolean {
  const isTrusted = trustOf(MINGO_LEFT_OUT, query)(document);
  return (isTrusted ? mingoMatches : referenceMatches)(query, storedForm(document));
}

/** RFC 8259: the order of an object's members means nothing. */
export function isSameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return JSON.stringify(inOrder(a)) === JSON.stringify(inOrder(b));
}

function inOrder(value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value)) return value.map((each) => inOrder(each)!);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, inOrder(value[name])!]),
  );
}

/** RFC 6902. */
export function jsonPatch(
  document: JsonObject,
  patch: readonly Operation[],
): { value: JsonValue } | 'test-failed' | 'impossible' {
  let value: JsonValue = structuredClone(document);
  for (const operation of structuredClone(patch)) {
    try {
      value = fastJsonPatch.applyPatch(value, [operation], true).newDocument;
    } catch {
      return operation.op === 'test' ? 'test-failed' : 'impossible';
    }
  }
  return { value };
}

/** RFC 7396, section 2, as it stands there. */
export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isJsonObject(patch)) return patch;
  const merged = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value);
  }
  return merged;
}
