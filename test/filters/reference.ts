import type { JsonObject, JsonValue } from '../../src/model/json.js';

/**
 * MongoDB's rules once more, written for likeness, not for speed, and without the engine's parts: it interprets the
 * query as it stands, lists every element that a path yields, and knows no shortcuts. Judges what the libraries can't.
 */
type Element = JsonValue | undefined;

export function referenceMatches(query: JsonObject, document: JsonValue): boolean {
  return Object.entries(query).every(([name, operand]) => {
    const clauses = operand as JsonObject[];
    if (name === '$and') return clauses.every((clause) => referenceMatches(clause, document));
    if (name === '$or') return clauses.some((clause) => referenceMatches(clause, document));
    if (name === '$nor') return !clauses.some((clause) => referenceMatches(clause, document));
    const elements = (entersLeaf: boolean): Element[] => elementsOf(document, name.split('.'), entersLeaf);
    return isOperators(operand) ? holds(operand, elements, operand) : holds({ $eq: operand }, elements, {});
  });
}

function isOperators(operand: JsonValue): operand is JsonObject {
  return isObject(operand) && Object.keys(operand)[0]?.startsWith('$') === true;
}

function isObject(value: Element): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function holds(
  operators: JsonObject,
  elements: (entersLeaf: boolean) => Element[],
  all: JsonObject,
): boolean {
  return Object.entries(operators).every(([name, operand]): boolean => {
    const again = (inner: JsonObject): boolean => holds(inner, elements, inner);
    const list = operand as JsonValue[];
    switch (name) {
      case '$ne':
        return !again({ $eq: operand });
      case '$nin':
        return !again({ $in: operand });
      case '$not':
        return !again(operand as JsonObject);
      case '$options':
        return true;
      case '$in':
        return list.some((one) => again({ $eq: one }));
      case '$exists':
        return elements(true).some((element) => element !== undefined) === operand;
      case '$all':
        return list.length > 0 && list.every((one) => again(isOperators(one) ? one : { $eq: one }));
      case '$size':
        return elements(false).some((element) => Array.isArray(element) && element.length === operand);
      case '$elemMatch':
        return elements(false).some(
          (array) => Array.isArray(array) && array.some((one) => elementMatches(operand as JsonObject, one)),
        );
      default:
        return elements(true).some((element) => satisfies(name, operand, element, all));
    }
  });
}

function elementMatches(query: JsonObject, element: JsonValue): boolean {
  const first = Object.keys(query)[0] ?? '';
  if (first.startsWith('$') && !['$and', '$or', '$nor'].includes(first))
    return holds(query, () => [element], query);
  return typeof element === 'object' && element !== null && referenceMatches(query, element);
}

function satisfies(name: string, operand: JsonValue, element: Element, all: JsonObject): boolean {
  const order = element === undefined ? undefined : compare(element, operand);
  const sameKind = element !== undefined && rank(element) === rank(operand);
  const bothNull = operand === null && (element === null || element === undefined);
  switch (name) {
    case '$eq':
      return bothNull || (sameKind && order === 0);
    case '$gt':
      return sameKind && order! > 0;
    case '$lt':
      return sameKind && order! < 0;
    case '$gte':
      return bothNull || (sameKind && order! >= 0);
    case '$lte':
      return bothNull || (sameKind && order! <= 0);
    case '$type':
      return element !== undefined && [operand].flat().some((type) => hasType(element, type));
    case '$mod': {
      const [divisor, remainder] = (operand as [number, number]).map((one) => BigInt(Math.trunc(one)));
      if (typeof element !== 'number') return false;
      const dividend = BigInt(Math.trunc(element));
      return BigInt.asIntN(64, dividend) === dividend && dividend % divisor! === remainder;
    }
    case '$regex':
      return typeof element === 'string' && patternOf(operand as string, all['$options'] ?? '').test(element);
    default:
      throw new Error(`the reference does not know ${name}`);
  }
}

/** JavaScript has no extended patterns: their white space is taken out, which is right where no class has any. */
function patternOf(pattern: string, options: JsonValue): RegExp {
  const flags = (options as string).replace('x', '');
  return new RegExp(flags === options ? pattern : pattern.replace(/\s/g, ''), `u${flags}`);
}

function hasType(element: JsonValue, type: JsonValue): boolean {
  // As the driver stores them: -0 is a double.
  const isInt = typeof element === 'number' && (element | 0) === element && !Object.is(element, -0);
  switch (type) {
    case 'number':
      return typeof element === 'number';
    case 'int':
    case 16:
      return isInt;
    case 'double':
    case 1:
      return typeof element === 'number' && !isInt;
    case 'string':
    case 2:
      return typeof element === 'string';
    case 'bool':
      return typeof element === 'boolean';
    case 'null':
      return element === null;
    case 'long':
      return false;
    case 'array':
      return Array.isArray(element);
    case 'object':
      return isObject(element);
    default:
      throw new Error(`the reference does not know the type ${JSON.stringify(type)}`);
  }
}

const RANKS = ['null', 'number', 'string', 'object', 'array', 'boolean'];

function rank(value: JsonValue): number {
  if (value === null) return 0;
  return RANKS.indexOf(Array.isArray(value) ? 'array' : typeof value);
}

function compare(a: JsonValue, b: JsonValue): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (typeof a !== 'object' || a === null) return Number(a) - Number(b);
  const left = Object.entries(a);
  const right = Object.entries(b as JsonObject);
  for (const [i, [name, value]] of left.entries()) {
    const other = right[i];
    if (other === undefined) return 1;
    const byName = Array.isArray(a) ? 0 : Buffer.compare(Buffer.from(name), Buffer.from(other[0]));
    const order = rank(value) - rank(other[1]) || byName || compare(value, other[1]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Everything that a path yields: what MongoDB's element iterator would return, in its order. */
function elementsOf(container: JsonValue, path: string[], entersLeaf: boolean): Element[] {
  const [name = '', ...rest] = path;
  const own = Object.entries(container as JsonObject).find(([key]) => key === name);
  const value = own?.[1];
  if (Array.isArray(value)) return insideArray(value, rest, entersLeaf);
  if (rest.length === 0) return [value];
  return isObject(value) ? elementsOf(value, rest, entersLeaf) : [undefined];
}

function insideArray(array: JsonValue[], path: string[], entersLeaf: boolean): Element[] {
  if (path.length === 0) return entersLeaf ? [...array, array] : [array];
  const [name, ...rest] = path;
  return array.flatMap((element, i): Element[] => {
    const isNamed = String(i) === name;
    const asField = isObject(element) ? elementsOf(element, path, entersLeaf) : [];
    if (!isNamed) return asField;
    if (rest.length === 0) return [...asField, element];
    if (isObject(element)) return [...asField, ...elementsOf(element, rest, entersLeaf)];
    return Array.isArray(element) ? insideArray(element, rest, entersLeaf) : [];
  });
}
