import { type Refusal, refuse } from '../../model/errors.js';
import { isJsonObject } from '../../model/json.js';
import { parseStrictText } from '../../model/strict-json.js';
import type { ListQuery } from '../../register/index.js';

const NESTING = 32;

/**
 * `{"city":"Kyiv","temp":{"$gt":20}}`, or `key:value,key:value`. In the second form the first colon ends the key, a
 * comma in a value is written `\,` and a backslash before a comma or a backslash `\\`.
 */
export function readMetadataFilter(text: string): NonNullable<ListQuery['metadataFilter']> | Refusal {
  if (text.trimStart().startsWith('{')) {
    const parsed = parseStrictText(text, NESTING);
    if (!parsed.ok) return refuse('invalid-parameter', `Parameter "metadataFilter": ${parsed.message}`);
    if (isJsonObject(parsed.value)) return { kind: 'object', value: parsed.value };
  }
  const pairs: [string, string][] = [];
  for (const part of splitAtCommas(text)) {
    const at = part.indexOf(':');
    if (at < 1) {
      return refuse(
        'invalid-parameter',
        `Parameter "metadataFilter" takes a JSON object or key:value pairs separated by commas (a comma in a value is written "\\,"); found "${part.slice(0, 80)}".`,
      );
    }
    pairs.push([part.slice(0, at), part.slice(at + 1)]);
  }
  return { kind: 'pairs', pairs };
}

function splitAtCommas(text: string): string[] {
  const parts: string[] = [''];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    const next = text[i + 1];
    if (c === '\\' && (next === ',' || next === '\\')) {
      parts[parts.length - 1] += next;
      i++;
    } else if (c === ',') parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts;
}
