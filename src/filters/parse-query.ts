import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js';
import { compileQuery, type Predicate } from './compile.js';
import { type Dependencies, dependenciesOf } from './dependencies.js';
import { type DocumentView, viewOf } from './document-view.js';
import type { Expression } from './expression.js';
import { parseOperators } from './parse-operators.js';
import {
  DEFAULT_QUERY_LIMITS,
  type FilterDocument,
  NO_QUERY_LIMITS,
  type ParseResult,
  type Query,
  type QueryLimits,
} from './query.js';
import { type Requirement, requirementOf } from './requirement.js';
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

/** MongoDB's own bound. */
const MAX_PATH_COMPONENTS = 255;

/**
 * Parses, checks and compiles a query. All faults are found (the first hundred are told), not only the first. The
 * source is kept, not copied: it must not be changed afterwards. O(size of the query); nothing in it is run as code.
 */
export function parseQuery(source: JsonValue, limits: QueryLimits = DEFAULT_QUERY_LIMITS): ParseResult {
  const root: Place = { depth: 1 };
  const parsing: Parsing = { limits, faults: [], conditions: 0, patterns: 0 };
  if (!isJsonObject(source)) {
    fault(
      parsing,
      root,
      `A query must be an object such as {"application_version": "v1"}, not ${describe(source)}.`,
    );
    return { ok: false, faults: parsing.faults };
  }
  const expression = parseObject(parsing, root, source, true);
  if (parsing.conditions > limits.maxConditions) {
    const message = `The query has ${parsing.conditions} conditions, ${limits.maxConditions} are allowed. Each comparison counts, so a metadata key and one on its value are two; split the query, or use $in for values of one key.`;
    fault(parsing, root, message);
  }
  const { maxPatterns = Infinity } = limits;
  if (parsing.patterns > maxPatterns) {
    const message = `The query has ${parsing.patterns} regular expressions, ${maxPatterns} are allowed; split it, join them by "|", or use $in for plain values.`;
    fault(parsing, root, message);
  }
  if (parsing.faults.length > 0) return { ok: false, faults: parsing.faults };
  return { ok: true, query: new ParsedQuery(source, expression) };
}

/**
 * What is asked of few queries is made of them when it is asked for: a hundred thousand are read at start. A class, since
 * each literal with accessors has a hidden class of its own, which holds what they hold until the old heap is collected.
 */
class ParsedQuery implements Query {
  private dependencies: Dependencies | undefined = undefined;
  private needed: { of: Requirement | undefined } | undefined = undefined;
  private test: Predicate<DocumentView> | undefined = undefined;

  constructor(
    readonly source: JsonObject,
    readonly expression: Expression,
  ) {}

  get keys(): ReadonlySet<string> | null {
    return this.dependsOn().keys;
  }

  get usesVersion(): boolean {
    return this.dependsOn().usesVersion;
  }

  get usesId(): boolean {
    return this.dependsOn().usesId;
  }

  get requirement(): Requirement | undefined {
    return (this.needed ??= { of: requirementOf(this.expression) }).of;
  }

  matches(doc: FilterDocument): boolean {
    return (this.test ??= compileQuery(this.expression))(viewOf(doc));
  }

  private dependsOn(): Dependencies {
    return (this.dependencies ??= dependenciesOf(this.expression));
  }
}

/** Parses a query as it was saved, JSON text; one that this version can't read is a fault, too. O(size). */
export function parseSavedQuery(queryText: string): ParseResult {
  try {
    return parseQuery(JSON.parse(queryText) as JsonValue, NO_QUERY_LIMITS);
  } catch (error) {
    const message = `It is no JSON text of a query: ${(error as Error).message}`;
    return { ok: false, faults: [{ path: '', message }] };
  }
}

/** @param isDocument whether the query is asked of the endpoint's document, not of an array element in it */
function parseObject(parsing: Parsing, place: Place, query: JsonObject, isDocument: boolean): Expression {
  if (isTooDeep(parsing, place)) return { kind: 'never' };
  const names = Object.keys(query);
  if (names.length === 0) parsing.conditions++;
  const clauses = names.map((name) => {
    const at = childOf(place, name);
    const operand = query[name]!;
    if (LOGICAL_OPERATORS.has(name)) return parseLogical(parsing, at, name, operand, isDocument);
    if (name.startsWith('$')) return fault(parsing, at, misplacedOperator(name));
    return parseField(parsing, at, name, operand, isDocument);
  });
  return clauses.length === 1 ? clauses[0]! : { kind: 'and', clauses };
}

function misplacedOperator(name: string): string {
  if (name === '$not')
    return '$not must stand under a field: {"field": {"$not": {...}}}. To negate a query use $nor.';
  if (FIELD_OPERATORS.has(name)) return `${name} must stand under a field: {"field": {"${name}": ...}}.`;
  return unknownOperator(name);
}

function parseLogical(
  parsing: Parsing,
  place: Place,
  operator: string,
  operand: JsonValue,
  isDocument: boolean,
): Expression {
  if (!Array.isArray(operand) || operand.length === 0) {
    return fault(parsing, place, `${operator} needs a nonempty array of queries, not ${describe(operand)}.`);
  }
  const clauses = operand.map((clause, i) => {
    const at = nestedIn(childOf(place, i));
    if (isJsonObject(clause)) return parseObject(parsing, at, clause, isDocument);
    return fault(parsing, at, `Each element of ${operator} must be a query object, not ${describe(clause)}.`);
  });
  if (operator === '$and') return { kind: 'and', clauses };
  const some: Expression = { kind: 'or', clauses };
  return operator === '$or' ? some : { kind: 'not', clause: some };
}

function parseField(
  parsing: Parsing,
  place: Place,
  name: string,
  operand: JsonValue,
  isDocument: boolean,
): Expression {
  const path = name.split('.');
  if (isDocument && path[0] === '_id') {
    return fault(parsing, place, 'The field "_id" is not part of an endpoint; use "endpoint_id".');
  }
  if (path.length > MAX_PATH_COMPONENTS) {
    const message = `The path has ${path.length} components, ${MAX_PATH_COMPONENTS} are allowed.`;
    return fault(parsing, place, message);
  }
  if (name.includes('\0')) return fault(parsing, place, 'A field name must not contain a null character.');
  const inside = nestedIn(place);
  if (isJsonObject(operand) && operatorNamesOf(operand).operators.length > 0) {
    if (isTooDeep(parsing, inside)) return { kind: 'never' };
    return parseOperators({ parsing, parseObject: parseElementQuery }, inside, path, operand);
  }
  checkLiteral(parsing, place, operand);
  parsing.conditions++;
  return { kind: 'condition', path, test: { kind: 'equal', operand } };
}

function parseElementQuery(parsing: Parsing, place: Place, query: JsonObject): Expression {
  return parseObject(parsing, place, query, false);
}
