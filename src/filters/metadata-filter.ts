import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js';

/**
 * The query of the REST parameter `metadataFilter`, an object over metadata keys: `{"city": "Kyiv", "temp": {"$gt": 20}}`
 * means that each key is there and has such a value; `{"$exists": false}` that it is not there. A dotted name is a key with
 * dots, never a path. Checked by parseQuery.
 */
export function queryOfMetadataFilter(filter: JsonObject): JsonObject {
  const clauses = Object.entries(filter).map(([key, value]) =>
    isAbsence(value)
      ? { $nor: [{ metadata: { $elemMatch: { key } } }] }
      : { metadata: { $elemMatch: { key, value } } },
  );
  return clauses.length === 0 ? {} : { $and: clauses };
}

function isAbsence(value: JsonValue): boolean {
  return isJsonObject(value) && Object.keys(value).length === 1 && value['$exists'] === false;
}
