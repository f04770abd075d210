import { type Refusal, refuse } from './errors.js';

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
    return refuse('invalid-header', `${name} is empty; give an entity tag or "*", or leave it out.`);
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
