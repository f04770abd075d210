import { isJsonObject, type JsonObject, type JsonValue, pointerToken } from '../model/json.js';
import type { QueryFault } from './query.js';
import { LOGICAL_OPERATORS } from './query-parsing.js';

/** So many hints are given; who follows these knows what the others would say. */
const MOST_HINTS = 20;
const SHOWN_CHARACTERS = 60;

/**
 * Where a query asks for what no endpoint has, as `{"temp_c": 3}` does. As in MongoDB that is no fault: the field counts as
 * missing, so the condition holds of all endpoints or of none. O(size of the query).
 *
 * @param source of a query that was parsed without faults
 */
export function hintsOf(source: JsonObject): QueryFault[] {
  const hints: QueryFault[] = [];
  for (const { path, message } of hintsIn(source, '', onEndpoint)) {
    if (hints.length === MOST_HINTS) break;
    hints.push({ path, message });
  }
  return hints;
}

/** Looks at a condition on one field of a document. */
type Look = (path: string, name: string, operand: JsonValue) => Iterable<QueryFault>;

function* hintsIn(query: JsonObject, pointer: string, look: Look): Generator<QueryFault> {
  for (const [name, operand] of Object.entries(query)) {
    const path = `${pointer}/${pointerToken(name)}`;
    if (LOGICAL_OPERATORS.has(name)) {
      const clauses = operand as JsonObject[];
      for (const [i, clause] of clauses.entries()) yield* hintsIn(clause, `${path}/${i}`, look);
    } else if (!name.startsWith('$')) yield* look(path, name, operand);
  }
}

function* onEndpoint(path: string, name: string, operand: JsonValue): Generator<QueryFault> {
  const [field, ...inside] = name.split('.') as [string, ...string[]];
  const [part, ...rest] = inside;
  const isMissing = `"${name}" counts as missing`;
  if (field === 'metadata') {
    if (part === undefined) yield* onEntries(path, operand);
    else if (part !== 'key' && part !== 'value' && !/^\d+$/.test(part))
      yield {
        path,
        message: `The metadata are a list of entries with "key" and "value": ${isMissing}. Write ${withKey(part, rest, operand)}.`,
      };
  } else if (field !== 'endpoint_id' && field !== 'application_version') {
    yield {
      path,
      message: `An endpoint has endpoint_id, application_version and metadata, no "${field}": ${isMissing}. If that is a metadata key, write ${withKey(field, inside, operand)}.`,
    };
  } else if (part !== undefined)
    yield { path, message: `"${field}" is a text, which has no fields: ${isMissing}. Write "${field}".` };
}

/** What is asked of `metadata` as a whole: conditions on its entries are within `$elemMatch`. */
function* onEntries(path: string, operand: JsonValue): Generator<QueryFault> {
  if (!isJsonObject(operand)) return;
  const names = Object.keys(operand);
  if (!names.some((name) => name.startsWith('$'))) {
    // an entry as a whole; in MongoDB objects are equal only with the same fields in the same order
    if (names.join() !== 'key,value')
      yield {
        path,
        message: `The metadata are a list of entries {"key": ..., "value": ...}; none equals ${shown(operand)}, in which fields and their order count. Write {"metadata": {"$elemMatch": {"key": ..., "value": ...}}}.`,
      };
    return;
  }
  for (const [name, inner] of Object.entries(operand)) {
    const at = `${path}/${pointerToken(name)}`;
    if (name === '$elemMatch') yield* hintsIn(inner as JsonObject, at, onEntry);
    else if (name === '$not') yield* onEntries(at, inner);
    else if (name === '$all')
      for (const [i, each] of (inner as JsonValue[]).entries()) yield* onEntries(`${at}/${i}`, each);
  }
}

function* onEntry(path: string, name: string, operand: JsonValue): Generator<QueryFault> {
  const [field, ...inside] = name.split('.') as [string, ...string[]];
  if (field === 'key' || field === 'value') return;
  yield {
    path,
    message: `An entry of the metadata has "key" and "value", no "${field}": "${name}" counts as missing. For a metadata key write ${
      holdsOfMissing(operand)
        ? `{"key": ${JSON.stringify(field)}} with a condition on "value"`
        : fieldsOf(field, inside, operand)
    }.`,
  };
}

function withKey(key: string, path: readonly string[], operand: JsonValue): string {
  if (!holdsOfMissing(operand)) return `{"metadata": {"$elemMatch": ${fieldsOf(key, path, operand)}}}`;
  const isThere = `{"metadata": {"$elemMatch": {"key": ${JSON.stringify(key)}}}}`;
  return `{"$nor": [${isThere}]} for endpoints without the key, or ${isThere} with a condition on its "value"`;
}

/** Whether a condition holds where there is no such key: one on the entry of the key does not say the same. */
function holdsOfMissing(operand: JsonValue): boolean {
  if (operand === null) return true;
  if (!isJsonObject(operand)) return false;
  return Object.entries(operand).some(
    ([name, value]) =>
      ['$ne', '$nin', '$not'].includes(name) ||
      (name === '$exists' && (value === false || value === 0 || value === null)) ||
      (name === '$eq' && value === null) ||
      (name === '$in' && Array.isArray(value) && value.includes(null)),
  );
}

function fieldsOf(key: string, path: readonly string[], operand: JsonValue): string {
  const value = ['value', ...path].join('.');
  return `{"key": ${JSON.stringify(key)}, ${JSON.stringify(value)}: ${shown(operand)}}`;
}

function shown(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? '...' : text;
}
