import type { JsonObject } from '../model/json.js';

/**
 * The query of the REST parameter `metadataFilter`, an object over metadata keys: `{"city": "Kyiv", "temp": {"$gt": 20}}`
 * means that each key has such a value. A dotted name is a key with dots, never a path. Checked by parseQuery.
 */
export function queryOfMetadataFilter(filter: JsonObject): JsonObject {
  const clauses = Object.entries(filter).map(([key, value]) => ({
    metadata: { $elemMatch: { key, value } },
  }));
  return clauses.length === 0 ? {} : { $and: clauses };
}
