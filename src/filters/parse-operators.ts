import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js';
import type { ElementTest, Expression, FieldPath } from './expression.js';
import { parseMod, parseRegex, parseSize, parseType, type OperandResult } from './parse-operands.js';
import {
  checkLiteral,
  childOf,
  describe,
  fault,
  FIELD_OPERATORS,
  isTooDeep,
  LOGICAL_OPERATORS,
  nestedIn,
  operatorNamesOf,
  unknownOperator,
  type Parsing,
  type Place,
} from './query-parsing.js';

export interface OperatorContext {
  parsing: Parsing;
  /** parses the query of an `$elemMatch` on documents */
  parseObject(parsing: Parsing, place: Place, query: JsonObject): Expression;
}

/** Parses an object of operators that stands under a path. All its conditions must hold. */
export function parseOperators(
  context: OperatorContext,
  place: Place,
  path: FieldPath,
  operators: JsonObject,
): Expression {
  const { parsing } = context;
  const { names } = operatorNamesOf(operators);
  if (names.length > 0) {
    const list = names.map((name) => `"${name}"`).join(', ');
    fault(
      parsing,
      place,
      `Operators and plain names (${list}) can't be mixed in one operand; use $and, or only operators.`,
    );
  }
  const clauses: Expression[] = [];
  for (const [name, operand] of Object.entries(operators)) {
    if (!name.startsWith('$')) continue;
    const clause = parseOperator(context, childOf(place, name), path, name, operand, operators);
    if (clause !== undefined) clauses.push(clause);
  }
  return clauses.length === 1 ? clauses[0]! : { kind: 'and', clauses };
}

function parseOperator(
  context: OperatorContext,
  place: Place,
  path: FieldPath,
  name: string,
  operand: JsonValue,
  siblings: JsonObject,
): Expression | undefined {
  const { parsing } = context;
  const condition = (test: ElementTest): Expression => {
    parsing.conditions++;
    return { kind: 'condition', path, test };
  };
  const conditionOf = (result: OperandResult): Expression =>
    result.ok ? condition(result.test) : fault(parsing, place, result.message);
  switch (name) {
    case '$eq':
    case '$ne': {
      checkLiteral(parsing, place, operand);
      const equal = condition({ kind: 'equal', operand });
      return name === '$eq' ? equal : { kind: 'not', clause: equal };
    }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      checkLiteral(parsing, place, operand);
      return condition({ kind: 'ordered', ordering: ORDERINGS[name], operand });
    case '$in':
    case '$nin': {
      const operands = parseList(parsing, place, name, operand);
      if (operands === undefined) return { kind: 'never' };
      const some = condition({ kind: 'in', operands });
      return name === '$in' ? some : { kind: 'not', clause: some };
    }
    case '$not':
      return parseNot(context, place, path, operand);
    case '$exists': {
      const exists = condition({ kind: 'exists' });
      // As in MongoDB any value will do: false, 0 and null mean false.
      const isWanted = operand !== false && operand !== 0 && operand !== null;
      return isWanted ? exists : { kind: 'not', clause: exists };
    }
    case '$type':
      return conditionOf(parseType(operand));
    case '$size':
      return conditionOf(parseSize(operand));
    case '$mod':
      return conditionOf(parseMod(operand));
    case '$regex':
      parsing.patterns++;
      return conditionOf(parseRegex(operand, siblings['$options'], parsing.limits.maxPatternBytes));
    case '$options':
      if (!Object.hasOwn(siblings, '$regex'))
        return fault(parsing, place, '$options needs a $regex beside it.');
      return undefined;
    case '$all':
      return parseAll(context, place, path, operand);
    case '$elemMatch':
      return parseElemMatch(context, place, path, operand);
    default:
      return fault(parsing, place, misplaced(name));
  }
}

const ORDERINGS = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' } as const;

function misplaced(name: string): string {
  if (!LOGICAL_OPERATORS.has(name)) return unknownOperator(name);
  return `${name} can't stand under a field or beside its operators; let it hold the fields: {"${name}": [{"field": ...}]}.`;
}

/** The operand of `$in` and `$nin`. */
function parseList(
  parsing: Parsing,
  place: Place,
  name: string,
  operand: JsonValue,
): JsonValue[] | undefined {
  if (!Array.isArray(operand)) {
    fault(parsing, place, `${name} needs an array of values, not ${describe(operand)}.`);
    return undefined;
  }
  operand.forEach((value, i) => checkListed(parsing, nestedIn(childOf(place, i)), name, value));
  return operand;
}

function checkListed(parsing: Parsing, place: Place, name: string, value: JsonValue): void {
  checkLiteral(parsing, place, value);
  const operator = firstOperatorOf(value);
  if (operator !== undefined) {
    fault(parsing, place, `${name} takes plain values, not operators such as ${operator}; use $or.`);
  }
}

/** MongoDB takes an object for one of operators by its first name. */
function firstOperatorOf(value: JsonValue): string | undefined {
  const first = isJsonObject(value) ? Object.keys(value)[0] : undefined;
  return first?.startsWith('$') ? first : undefined;
}

function parseNot(context: OperatorContext, place: Place, path: FieldPath, operand: JsonValue): Expression {
  const { parsing } = context;
  if (!isJsonObject(operand) || Object.keys(operand).length === 0) {
    const remedy = 'to compare with a value use $ne';
    return fault(parsing, place, `$not needs an object of operators, not ${describe(operand)}; ${remedy}.`);
  }
  const inside = nestedIn(place);
  if (isTooDeep(parsing, inside)) return { kind: 'never' };
  return { kind: 'not', clause: parseOperators(context, inside, path, operand) };
}

function parseAll(context: OperatorContext, place: Place, path: FieldPath, operand: JsonValue): Expression {
  const { parsing } = context;
  if (!Array.isArray(operand)) {
    return fault(parsing, place, `$all needs an array of values, not ${describe(operand)}.`);
  }
  if (operand.length === 0) {
    parsing.conditions++;
    return { kind: 'never' };
  }
  const isElemMatch = firstOperatorOf(operand[0]!) === '$elemMatch';
  const clauses = operand.map((value, i): Expression => {
    const at = nestedIn(childOf(place, i));
    if (!isElemMatch) {
      checkListed(parsing, at, '$all', value);
      parsing.conditions++;
      return { kind: 'condition', path, test: { kind: 'equal', operand: value } };
    }
    if (!isJsonObject(value) || firstOperatorOf(value) !== '$elemMatch' || Object.keys(value).length > 1) {
      return fault(
        parsing,
        at,
        'After a first {"$elemMatch": ...} each element of $all must be one too, and nothing more.',
      );
    }
    return parseElemMatch(context, childOf(at, '$elemMatch'), path, value['$elemMatch']!);
  });
  return { kind: 'and', clauses };
}

function parseElemMatch(
  context: OperatorContext,
  place: Place,
  path: FieldPath,
  operand: JsonValue,
): Expression {
  const { parsing } = context;
  if (!isJsonObject(operand)) {
    return fault(
      parsing,
      place,
      `$elemMatch needs an object, not ${describe(operand)}; to look for a value use $eq.`,
    );
  }
  const inside = nestedIn(place);
  if (isTooDeep(parsing, inside)) return { kind: 'never' };
  const first = firstOperatorOf(operand);
  const isOnValues = first !== undefined && !LOGICAL_OPERATORS.has(first);
  if (!isOnValues && !hasMisplaced(operand)) {
    const query = context.parseObject(parsing, inside, operand);
    return { kind: 'condition', path, test: { kind: 'elementDocument', query } };
  }
  const conditions = parseOperators(context, inside, [''], operand);
  return { kind: 'condition', path, test: { kind: 'elementValue', conditions } };
}

/** Operators of values after a plain name: a fault, told as the mixture that it is. */
function hasMisplaced(operand: JsonObject): boolean {
  const { operators, names } = operatorNamesOf(operand);
  return names.length > 0 && operators.some((name) => FIELD_OPERATORS.has(name));
}
