import type { JsonObject, JsonValue } from '../model/json.js';
import { parseQuery } from './parse-query.js';
import { NO_QUERY_LIMITS } from './query.js';

/**
 * The query of the REST parameter `metadataFilter`, an object over metadata keys as MongoDB has one over fields:
 * `{"city": "Kyiv", "temp": {"$gt": 20}}`. What holds of a missing field holds of a missing key: `null`, `$ne`,
 * `{"$exists": false}`. A dotted name is a path into a value. Checked by parseQuery.
 */
export function queryOfMetadataFilter(filter: JsonObject): JsonObject {
  const clauses = Object.entries(filter).map(([name, operand]) => {
    const [key, ...path] = name.split('.');
    const there = { metadata: { $elemMatch: { key: key!, [['value', ...path].join('.')]: operand } } };
    if (!holdsOfNothing(operand)) return there;
    return { $or: [there, { $nor: [{ metadata: { $elemMatch: { key: key! } } }] }] };
  });
  return clauses.length === 0 ? {} : { $and: clauses };
}

/** Whether an operand holds of a field that is not there. False for what is no operand; that is told of elsewhere. */
function holdsOfNothing(operand: JsonValue): boolean {
  const parsed = parseQuery(
    { metadata: { $elemMatch: { key: 'key', 'value.missing': operand } } },
    NO_QUERY_LIMITS,
  );
  return parsed.ok && parsed.query.matches({ endpointId: '', applicationVersion: '', metadata: { key: {} } });
}
