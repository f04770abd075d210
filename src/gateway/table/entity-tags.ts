import { type Refusal, refuse } from '../../model/errors.js';
import type { Reply } from './reply.js';

const TAG = /^(W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)[ \t,]*/;

interface Tag {
  weak: boolean;
  /** quotes included */
  opaque: string;
}

/** Reads a list of entity tags (RFC 9110, section 8.8.3). */
function readTags(name: string, text: string): Tag[] | Refusal {
  let rest = text.trim().replace(/^[,\s]+/, '');
  const tags: Tag[] = [];
  while (rest !== '') {
    const match = TAG.exec(rest);
    if (match === null) {
      return refuse(
        'invalid-header',
        `${name} takes "*" or entity tags in quotes, as the ETag header gave them, separated by commas; found: ${text.slice(0, 100)}.`,
      );
    }
    tags.push({ weak: match[1] !== undefined, opaque: match[2]! });
    rest = rest.slice(match[0].length);
  }
  if (tags.length === 0) {
    return refuse('invalid-header', `${name} is empty; give an entity tag or "*", or leave the header out.`);
  }
  return tags;
}

/** `If-Match`: strong comparison, so that a weak tag never matches and is left out. */
export function readIfMatch(text: string): { tags: readonly string[] } | Refusal {
  if (text.trim() === '*') return { tags: ['*'] };
  const tags = readTags('If-Match', text);
  return 'kind' in tags ? tags : { tags: tags.filter((tag) => !tag.weak).map((tag) => tag.opaque) };
}

/** `If-None-Match`: weak comparison, so that weakness does not matter. */
export function readIfNoneMatch(text: string): { tags: readonly string[] } | Refusal {
  if (text.trim() === '*') return { tags: ['*'] };
  const tags = readTags('If-None-Match', text);
  return 'kind' in tags ? tags : { tags: tags.map((tag) => tag.opaque) };
}

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
