import { createHash } from 'node:crypto';
import type { JsonObject } from '../model/json.js';
import { type Answer, ok } from '../model/outcome.js';
import { createdOf, etagOf, metadataBytesOf, metadataOf, metadataRevisionOf } from '../model/record.js';
import type { Relations } from './relation-types.js';

const INHERITED = 'inherited';

/**
 * An endpoint's metadata as a caller asks for it: narrowed to keys, with what it inherits.
 *
 * @param include words, or lists of them with commas between: `inherited`, and keys; none: all of its own metadata
 * @param readable as in {@link Relations.inherited}
 * @returns a JSON object, and its entity tag: that of the endpoint's own metadata unless something is inherited
 */
export async function includedMetadata(
  relations: Pick<Relations, 'inherited'>,
  record: Uint8Array,
  include: readonly string[],
  readable: (endpointIds: readonly string[]) => Promise<readonly boolean[]>,
): Promise<Answer<{ json: string | Uint8Array; etag: string }>> {
  const etag = etagOf(createdOf(record), metadataRevisionOf(record));
  const words = include.flatMap((text) => text.split(',')).filter((word) => word !== '');
  if (words.length === 0) return ok({ json: metadataBytesOf(record), etag });
  const named = words.filter((word) => word !== INHERITED);
  const keys = named.length === 0 ? undefined : named;
  const inherited = await relations.inherited(record, keys === undefined ? { readable } : { keys, readable });
  if (inherited.kind !== 'ok') return inherited;
  if (Object.keys(inherited.value).length === 0) {
    const json =
      keys === undefined ? metadataBytesOf(record) : JSON.stringify(narrow(metadataOf(record), keys));
    return ok({ json, etag });
  }
  const own = metadataOf(record);
  // sorted: from whichever container they come, the same values are the same text, under the same tag
  const above = Object.fromEntries(
    Object.entries(inherited.value).sort(([one], [other]) => (one < other ? -1 : 1)),
  );
  const json = JSON.stringify({ ...(keys === undefined ? own : narrow(own, keys)), ...above });
  return ok({ json, etag: `${etag.slice(0, -1)}-${shortHash(json)}"` });
}

function narrow(metadata: JsonObject, keys: readonly string[]): JsonObject {
  const wanted = new Set(keys);
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => wanted.has(key)));
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
