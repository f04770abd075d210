import { type Refusal, refuse } from '../../model/errors.js';
import type { Reply } from './reply.js';

function tagMatches(tags: readonly string[], etag: string): boolean {
  return tags.includes(etag) || tags[0] === '*';
}

/** What is answered instead of a reading, if anything: 412 goes before 304 (RFC 9110, section 13.2.2). */
export function readingCondition(
  conditions: { ifMatch: readonly string[] | undefined; ifNoneMatch: readonly string[] | undefined },
  etag: string,
): Refusal | Reply | undefined {
  const { ifMatch, ifNoneMatch } = conditions;
  if (ifMatch !== undefined && !tagMatches(ifMatch, etag))
    return refuse('precondition-failed', `The present ETag is ${etag}.`);
  if (ifNoneMatch !== undefined && tagMatches(ifNoneMatch, etag)) return { kind: 'reply', status: 304, etag };
  return undefined;
}
