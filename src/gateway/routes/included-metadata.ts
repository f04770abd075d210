import { includedMetadata } from '../../register/index.js';
import { readingCondition } from '../table/entity-tags.js';
import { type Result, replyJson } from '../table/reply.js';
import type { Call, RouteDeps } from '../table/route.js';

/** An endpoint's metadata as `include` asks for it, of those containers that the caller may read. */
export async function replyIncluded(
  call: Call,
  include: readonly string[],
  record: Uint8Array,
  { access, register }: RouteDeps,
): Promise<Result> {
  const readable = async (ids: readonly string[]) =>
    access.authenticates
      ? access.decide(
          call.caller,
          'endpoint:read',
          ids.map((id) => `endpoint-${id}`),
        )
      : ids.map(() => true);
  const shown = await includedMetadata(register.relations, record, include, readable);
  if (shown.kind !== 'ok') return shown;
  const { json, etag } = shown.value;
  return readingCondition(call, etag) ?? replyJson(json, etag);
}
