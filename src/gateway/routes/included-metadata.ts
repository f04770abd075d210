import type { Refusal } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import { includedMetadata } from '../../register/index.js';
import { isDecided } from '../../security/index.js';
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
  let undecided: Refusal | Retry | undefined;
  const readable = async (ids: readonly string[]): Promise<readonly boolean[]> => {
    if (!access.authenticates) return ids.map(() => true);
    const resources = ids.map((id) => `endpoint-${id}`);
    const decided = await access.decide(call.caller, 'endpoint:read', resources);
    if (isDecided(decided)) return decided;
    undecided = decided;
    return ids.map(() => false);
  };
  const shown = await includedMetadata(register.relations, record, include, readable);
  if (undecided !== undefined) return undecided;
  if (shown.kind !== 'ok') return shown;
  const { json, etag } = shown.value;
  return readingCondition(call, etag) ?? replyJson(json, etag);
}
