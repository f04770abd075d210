import { createHash } from 'node:crypto';
import type { JsonObject } from '../../model/json.js';
import { metadataBytesOf, metadataOf } from '../../model/record.js';
import { readingCondition } from '../table/entity-tags.js';
import { type Result, replyJson } from '../table/reply.js';
import type { Call, RouteDeps } from '../table/route.js';

const INHERITED = 'inherited';

/**
 * An endpoint's metadata as `include` asks for it: narrowed to keys, with what it inherits.
 *
 * @param found its record, the ETag of its own metadata, and what the request's conditions make of that
 */
export async function replyIncluded(
  call: Call,
  include: readonly string[],
  found: { record: Uint8Array; etag: string; instead: Result | undefined },
  { access, register }: RouteDeps,
): Promise<Result> {
  const words = include.flatMap((text) => text.split(',')).filter((word) => word !== '');
  const named = words.filter((word) => word !== INHERITED);
  const keys = named.length === 0 ? undefined : named;
  const readable = async (ids: readonly string[]) =>
    access.authenticates
      ? access.decide(
          call.caller,
          'endpoint:read',
          ids.map((id) => `endpoint-${id}`),
        )
      : ids.map(() => true);
  const wanted = keys === undefined ? { readable } : { keys, readable };
  const inherited =
    words.length === 0
      ? { kind: 'ok' as const, value: {} }
      : await register.relations.inherited(found.record, wanted);
  if (inherited.kind !== 'ok') return inherited;
  if (Object.keys(inherited.value).length === 0) {
    if (found.instead !== undefined) return found.instead;
    if (keys === undefined) return replyJson(metadataBytesOf(found.record), found.etag);
    return replyJson(JSON.stringify(narrow(metadataOf(found.record), keys)), found.etag);
  }
  const own = metadataOf(found.record);
  // sorted: from whichever container they come, the same values are the same text, under the same tag
  const above = Object.fromEntries(
    Object.entries(inherited.value).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
  const text = JSON.stringify({ ...(keys === undefined ? own : narrow(own, keys)), ...above });
  const etag = `${found.etag.slice(0, -1)}-${shortHash(text)}"`;
  return readingCondition(call, etag) ?? replyJson(text, etag);
}

function narrow(metadata: JsonObject, keys: readonly string[]): JsonObject {
  const wanted = new Set(keys);
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => wanted.has(key)));
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
