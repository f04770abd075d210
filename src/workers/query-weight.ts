import type { JsonValue } from '../model/json.js';

/** Of a regular expression that the engine has to look at, but that repeats and branches nowhere. */
const SIMPLE_PATTERN = 1024;
/** Of any other: it may take microseconds for each character of a value. */
const PATTERN = 2 ** 31;

/**
 * A measure of what evaluating a saved query costs for each character of a document: the length of its text, which is
 * about proportional to its conditions, and more for regular expressions. O(length).
 */
export function queryWeightOf(queryText: string): number {
  return (
    queryText.length +
    (queryText.includes('$regex') ? patternWeightOf(JSON.parse(queryText) as JsonValue) : 0)
  );
}

function patternWeightOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, element) => sum + patternWeightOf(element), 0);
  let weight = 0;
  for (const [key, inner] of Object.entries(value)) {
    if (key !== '$regex') weight += patternWeightOf(inner);
    else if (typeof inner !== 'string' || /[\\.$|?*+()[\]{}]/.test(inner)) weight += PATTERN;
    else if (value['$options'] !== undefined) weight += SIMPLE_PATTERN;
  }
  return weight;
}
