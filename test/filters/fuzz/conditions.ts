import type { FilterDocument } from '../../../src/filters/index.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/model/json.js';

/** One operator of a filter, with where it stands; a plain operand counts as `$eq`. */
export interface Condition {
  /** on the document, on one `{key, value}` of the metadata, or on an element of an array in a value */
  level: 'document' | 'entry' | 'element';
  /** the components of its path; of a condition on the elements themselves: none */
  path: readonly string[];
  operator: string;
  operand: JsonValue;
  /** the operators that stand together, itself included */
  siblings: readonly string[];
  /** whether it stands under `$not` */
  isNegated: boolean;
  /** metadata keys outside which it is of no effect; undefined: any */
  keys: readonly string[] | undefined;
}

interface Place {
  level: Condition['level'];
  keys: Condition['keys'];
}

export function conditionsOf(filter: JsonObject): Condition[] {
  const found: Condition[] = [];
  query(filter, { level: 'document', keys: undefined });
  return found;

  function query(clauses: JsonObject, place: Place): void {
    for (const [name, operand] of Object.entries(clauses)) {
      if (name.startsWith('$')) for (const clause of operand as JsonObject[]) query(clause, place);
      else field(name.split('.'), isOperators(operand) ? operand : { $eq: operand }, place);
    }
  }

  function field(path: string[], operators: JsonObject, place: Place, isNegated = false): void {
    const siblings = Object.keys(operators).filter((name) => name !== '$options');
    for (const [operator, operand] of Object.entries(operators)) {
      if (operator === '$options') continue;
      if (operator === '$not') field(path, operand as JsonObject, place, true);
      else if (operator === '$elemMatch') element(path, operand as JsonObject, place);
      else if (operator === '$all' && isElemMatch((operand as JsonValue[])[0])) {
        found.push({ ...place, path, operator, operand, siblings, isNegated });
        for (const one of operand as JsonObject[]) element(path, one['$elemMatch'] as JsonObject, place);
      } else if (path.join() !== 'key' || place.level !== 'entry' || keysOf({ key: operators }) === undefined)
        found.push({ ...place, path, operator, operand, siblings, isNegated });
    }
  }

  function element(path: string[], inner: JsonObject, { level, keys }: Place): void {
    const first = Object.keys(inner)[0] ?? '';
    const isOnValues = first.startsWith('$') && !['$and', '$or', '$nor'].includes(first);
    found.push({
      level,
      keys,
      path,
      operator: '$elemMatch',
      operand: inner,
      siblings: ['$elemMatch'],
      isNegated: false,
    });
    if (level === 'document' && path.join() === 'metadata' && !isOnValues)
      query(inner, { level: 'entry', keys: keysOf(inner) });
    else if (isOnValues)
      field(level === 'document' ? path : [], inner, {
        level: level === 'document' ? level : 'element',
        keys,
      });
    else query(inner, { level: 'element', keys });
  }
}

function isOperators(operand: JsonValue): operand is JsonObject {
  return isJsonObject(operand) && Object.keys(operand)[0]?.startsWith('$') === true;
}

/** Whether an operand of `$all` is one. */
export function isElemMatch(operand: JsonValue | undefined): boolean {
  return operand !== undefined && isJsonObject(operand) && Object.hasOwn(operand, '$elemMatch');
}

/** The keys that an entry must have one of, where the query says so plainly. */
function keysOf({ key }: JsonObject): string[] | undefined {
  if (typeof key === 'string') return [key];
  if (key === undefined || !isJsonObject(key) || Object.keys(key).length !== 1) return undefined;
  const keys = typeof key['$eq'] === 'string' ? [key['$eq']] : key['$in'];
  return Array.isArray(keys) && keys.every((one) => typeof one === 'string') ? keys : undefined;
}

/** The values that the condition may look at: of the metadata, and for what it asks of keys, the keys. */
export function valuesOf({ level, path, keys }: Condition, doc: FilterDocument): JsonValue[] {
  const { metadata } = doc;
  if (level === 'document' && path[0] === 'application_version') return [doc.applicationVersion];
  if (level === 'document' && path[0] === 'endpoint_id') return [doc.endpointId];
  if (path[level === 'document' ? 1 : 0] === 'key') return Object.keys(metadata);
  if (keys === undefined) return Object.values(metadata);
  return keys.filter((key) => Object.hasOwn(metadata, key)).map((key) => metadata[key]!);
}
