import type { JsonValue } from '../model/json.js';
import type { ElementTest, Expression, Ordering } from './expression.js';

export type Scalar = null | boolean | number | string;

/** A test on one value: by itself, or, where the value is an array, on one of its elements. */
export type ValueTest =
  { kind: 'in'; values: readonly Scalar[] } | { kind: 'ordered'; ordering: Ordering; operand: Scalar };

/**
 * What must hold for a query to match, in terms that an index can answer; it may be less than the query says.
 * `exact`: it is all that this part of the query says.
 */
export type Requirement =
  /** the metadata have the key, and its value passes each test; of an array, each by any of its elements */
  | { kind: 'key'; key: string; tests: readonly ValueTest[]; exact: boolean }
  | { kind: 'version'; versions: readonly string[]; exact: boolean }
  | { kind: 'id'; ids: readonly string[]; exact: boolean }
  /** all of them; none: everything matches */
  | { kind: 'all'; of: readonly Requirement[]; exact: boolean }
  /** none of them: nothing matches */
  | { kind: 'any'; of: readonly Requirement[]; exact: boolean };

/** Nothing is asked: everything matches. */
const EVERYTHING: Requirement = { kind: 'all', of: [], exact: true };
const NOTHING: Requirement = { kind: 'any', of: [], exact: true };

/** The requirement of a query, or undefined when there is none. O(size of the query). */
export function requirementOf(expression: Expression): Requirement | undefined {
  switch (expression.kind) {
    case 'never':
      return NOTHING;
    case 'not':
      return undefined;
    case 'and': {
      const of = expression.clauses.map(requirementOf);
      const known = of.filter((each) => each !== undefined);
      if (of.length === 0) return EVERYTHING;
      if (known.length === 0) return undefined;
      const exact = known.length === of.length && known.every((each) => each.exact);
      return known.length === 1 ? { ...known[0]!, exact } : { kind: 'all', of: known, exact };
    }
    case 'or': {
      const of: Requirement[] = [];
      for (const clause of expression.clauses) {
        const each = requirementOf(clause);
        if (each === undefined) return undefined;
        of.push(each);
      }
      return of.length === 1 ? of[0] : { kind: 'any', of, exact: of.every((each) => each.exact) };
    }
    case 'condition':
      return ofCondition(expression.path, expression.test);
  }
}

function ofCondition(path: readonly string[], test: ElementTest): Requirement | undefined {
  const [field, inner] = path;
  if (path.length === 1 && field === 'application_version') {
    const versions = textsOf(test);
    return versions && { kind: 'version', versions, exact: true };
  }
  if (path.length === 1 && field === 'endpoint_id') {
    const ids = textsOf(test);
    return ids && { kind: 'id', ids, exact: true };
  }
  if (field !== 'metadata') return undefined;
  if (path.length === 2 && inner === 'key') {
    const keys = textsOf(test);
    return keys && ofKeys(keys, [], true);
  }
  return path.length === 1 && test.kind === 'elementDocument' ? ofEntry(test.query) : undefined;
}

/** Of one metadata entry, `{key, value}`: a value is never missing in it. */
function ofEntry(query: Expression): Requirement | undefined {
  const clauses = flat(query);
  let keys: readonly string[] | undefined;
  let exact = true;
  const tests: ValueTest[] = [];
  for (const clause of clauses) {
    if (clause.kind !== 'condition' || clause.path.length !== 1) exact = false;
    else if (clause.path[0] === 'key') {
      const names = textsOf(clause.test);
      if (names === undefined) exact = false;
      else keys = keys === undefined ? names : keys.filter((key) => names.includes(key));
    } else if (clause.path[0] === 'value') {
      const test = valueTestOf(clause.test);
      if (test === undefined) exact = false;
      else tests.push(test);
    } else exact = false;
  }
  return keys && ofKeys(keys, tests, exact);
}

function flat(query: Expression): readonly Expression[] {
  return query.kind === 'and' ? query.clauses.flatMap(flat) : [query];
}

function ofKeys(keys: readonly string[], tests: readonly ValueTest[], exact: boolean): Requirement {
  const of = keys.map((key): Requirement => ({ kind: 'key', key, tests, exact }));
  return of.length === 1 ? of[0]! : { kind: 'any', of, exact };
}

function textsOf(test: ElementTest): readonly string[] | undefined {
  const values = test.kind === 'equal' ? [test.operand] : test.kind === 'in' ? test.operands : undefined;
  if (values === undefined) return undefined;
  const texts = values.filter((value) => typeof value === 'string');
  return texts.length === values.length ? [...new Set(texts)] : undefined;
}

function isScalar(value: JsonValue): value is Scalar {
  return typeof value !== 'object' || value === null;
}

function valueTestOf(test: ElementTest): ValueTest | undefined {
  if (test.kind === 'equal')
    return isScalar(test.operand) ? { kind: 'in', values: [test.operand] } : undefined;
  if (test.kind === 'in') {
    const values = test.operands.filter(isScalar);
    return values.length === test.operands.length ? { kind: 'in', values } : undefined;
  }
  if (test.kind !== 'ordered' || !isScalar(test.operand)) return undefined;
  const { ordering, operand } = test;
  if (operand !== null) return { kind: 'ordered', ordering, operand };
  return { kind: 'in', values: ordering === 'gte' || ordering === 'lte' ? [null] : [] };
}
