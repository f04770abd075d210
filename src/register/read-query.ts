import { parseQuery, type Query, type QueryLimits } from '../filters/index.js';
import { type Refusal, refuse } from '../model/errors.js';
import type { JsonValue } from '../model/json.js';
import { parseStrictText } from '../model/strict-json.js';

/**
 * Reads a query as a caller gave it: an object, or its JSON text.
 *
 * @param name where it stands in the body; details are pointers that begin with it
 * @returns the query, or `invalid-query` with every fault
 */
export function readQuery(value: JsonValue, name: string, limits: QueryLimits): { query: Query } | Refusal {
  let given = value;
  if (typeof given === 'string') {
    const text = parseStrictText(given, limits.maxDepth * 4);
    if (!text.ok) {
      return refuse('invalid-query', `${name} is not JSON text: ${text.message}`, [
        { path: `/${name}`, message: text.message },
      ]);
    }
    given = text.value;
  }
  const parsed = parseQuery(given, limits);
  if (parsed.ok) return { query: parsed.query };
  const details = parsed.faults.map(({ path, message }) => ({ path: `/${name}${path}`, message }));
  return refuse('invalid-query', details[0]!.message, details);
}
