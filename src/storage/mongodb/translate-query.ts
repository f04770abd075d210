import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js';
import { storable, storableKey } from './mirror.js';

/** Fields that the queried document has, and where they are stored. */
const FIELDS: Readonly<Record<string, string>> = {
  endpoint_id: '_id',
  application_version: 'application_version',
  metadata: 'metadata',
};
/** No stored document has it: what a query asks of fields that the queried document has not, it asks of this one. */
const NO_FIELD = 'nothing';
const JOINING = new Set(['$and', '$or', '$nor']);
const WITH_LITERALS = new Set(['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin']);

/** A query document in the driver's form; a Map, for any text may be a key. */
export type QueryDocument = Map<string, unknown>;

/**
 * A query of the filter language, checked already, as a query on stored endpoints. Names of the stored document that
 * the queried one has not (`tenant`, `record`) stay unseen: there they are missing fields.
 */
export function translateQuery(source: JsonObject): QueryDocument {
  return queryOf(source, storedPath);
}

function queryOf(query: JsonObject, pathOf: (path: string) => string): QueryDocument {
  const translated: QueryDocument = new Map();
  for (const [key, operand] of Object.entries(query)) {
    if (JOINING.has(key)) {
      translated.set(
        key,
        (operand as JsonObject[]).map((clause) => queryOf(clause, pathOf)),
      );
    } else translated.set(pathOf(key), conditionOf(operand));
  }
  return translated;
}

function storedPath(path: string): string {
  const [top, ...inner] = path.split('.');
  const field = Object.hasOwn(FIELDS, top!) ? FIELDS[top!]! : `${NO_FIELD}.${storableKey(top!)}`;
  return [field, ...inner.map(storableKey)].join('.');
}

/** Inside of `$elemMatch`, paths begin at the element. */
function innerPath(path: string): string {
  return path.split('.').map(storableKey).join('.');
}

function isOperators(operand: JsonValue): operand is JsonObject {
  return isJsonObject(operand) && Object.keys(operand)[0]?.startsWith('$') === true;
}

function conditionOf(operand: JsonValue): unknown {
  return isOperators(operand) ? operatorsOf(operand) : storable(operand);
}

function operatorsOf(operators: JsonObject): QueryDocument {
  const translated: QueryDocument = new Map();
  for (const [operator, operand] of Object.entries(operators)) {
    translated.set(operator, operandOf(operator, operand));
  }
  return translated;
}

function operandOf(operator: string, operand: JsonValue): unknown {
  if (operator === '$not') return conditionOf(operand);
  if (operator === '$elemMatch') return elementOf(operand as JsonObject);
  if (operator === '$all')
    return (operand as JsonValue[]).map((each) => (isOperators(each) ? operatorsOf(each) : storable(each)));
  if (WITH_LITERALS.has(operator)) return storable(operand);
  return operand;
}

function elementOf(operand: JsonObject): QueryDocument {
  const first = Object.keys(operand)[0];
  const onValues = first?.startsWith('$') === true && !JOINING.has(first);
  return onValues ? operatorsOf(operand) : queryOf(operand, innerPath);
}
