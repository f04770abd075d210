import type { JsonValue } from '../model/json.js';
import { compile, OBJECT_ROOT } from './compile.js';
import type { ElementTest, Expression, Ordering } from './expression.js';
import type { ElementPredicate } from './path.js';
import { compilePattern } from './pattern/pattern.js';
import { bracketOf, compareSameBracket, compareValues, typeCodeOf } from './values.js';

/** Compiles a condition on one element. */
export function compileTest(test: ElementTest): ElementPredicate {
  switch (test.kind) {
    case 'equal':
      return equalTo(test.operand);
    case 'ordered':
      return ordered(test.ordering, test.operand);
    case 'in':
      return oneOf(test.operands);
    case 'exists':
      return (element) => element !== undefined;
    case 'type': {
      const codes = new Set(test.codes);
      return (element) => codes.has(typeCodeOf(element));
    }
    case 'size':
      return (element) => Array.isArray(element) && element.length === test.size;
    case 'mod':
      return remainderOf(test.divisor, test.remainder);
    case 'regex':
      return matching(test.pattern, test.options);
    case 'elementDocument': {
      const matches = compile(test.query, OBJECT_ROOT);
      return (element) =>
        Array.isArray(element) &&
        element.some((inner) => typeof inner === 'object' && inner !== null && matches(inner));
    }
    case 'elementValue': {
      const holds = compileOnElement(test.conditions);
      return (element) => Array.isArray(element) && element.some((inner) => holds(inner));
    }
  }
}

function matching(pattern: string, options: string): ElementPredicate {
  const compiled = compilePattern(pattern, options);
  if (!compiled.ok) throw new Error(`A pattern that was taken can't be compiled: ${compiled.message}`);
  const { test } = compiled;
  return (element) => typeof element === 'string' && test(element);
}

/** Compiles conditions that look at one element itself: paths are not walked, arrays not entered. */
function compileOnElement(expression: Expression): ElementPredicate {
  switch (expression.kind) {
    case 'and': {
      const clauses = expression.clauses.map(compileOnElement);
      return (element) => clauses.every((clause) => clause(element));
    }
    case 'or': {
      const clauses = expression.clauses.map(compileOnElement);
      return (element) => clauses.some((clause) => clause(element));
    }
    case 'not': {
      const clause = compileOnElement(expression.clause);
      return (element) => !clause(element);
    }
    case 'never':
      return () => false;
    case 'condition':
      return compileTest(expression.test);
  }
}

function equalTo(operand: JsonValue): ElementPredicate {
  if (operand === null) return (element) => element === null || element === undefined;
  if (typeof operand !== 'object') {
    return Number.isNaN(operand) ? (element) => Number.isNaN(element) : (element) => element === operand;
  }
  const bracket = bracketOf(operand);
  return (element) =>
    typeof element === 'object' &&
    bracketOf(element) === bracket &&
    compareSameBracket(element, operand, bracket) === 0;
}

function ordered(ordering: Ordering, operand: JsonValue): ElementPredicate {
  const admits = ADMITS[ordering];
  if (operand === null) {
    // Missing compares as null does: equal, so `$gte` and `$lte` hold and `$gt` and `$lt` never do.
    return (element) => (element === null || element === undefined) && admits(0);
  }
  if (typeof operand === 'number') return orderedNumber(ordering, operand);
  const bracket = bracketOf(operand);
  return (element) =>
    element !== undefined &&
    bracketOf(element) === bracket &&
    admits(compareSameBracket(element, operand, bracket));
}

const ADMITS: Record<Ordering, (order: number) => boolean> = {
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
};

/** JavaScript's comparisons are MongoDB's here but for NaN, which `$gte` and `$lte` find equal to itself. */
function orderedNumber(ordering: Ordering, operand: number): ElementPredicate {
  if (Number.isNaN(operand)) {
    return ordering === 'lte' || ordering === 'gte' ? (element) => Number.isNaN(element) : () => false;
  }
  switch (ordering) {
    case 'lt':
      return (element) => typeof element === 'number' && element < operand;
    case 'lte':
      return (element) => typeof element === 'number' && element <= operand;
    case 'gt':
      return (element) => typeof element === 'number' && element > operand;
    case 'gte':
      return (element) => typeof element === 'number' && element >= operand;
  }
}

/** O(1) for scalars, O(log n) comparisons for documents and arrays. */
function oneOf(operands: readonly JsonValue[]): ElementPredicate {
  // A Set finds NaN and takes 0 for -0, as MongoDB does.
  const scalars = new Set<JsonValue | undefined>();
  const containers: JsonValue[] = [];
  for (const operand of operands) {
    if (typeof operand === 'object' && operand !== null) containers.push(operand);
    else scalars.add(operand);
  }
  if (scalars.has(null)) scalars.add(undefined);
  if (containers.length === 0) return (element) => scalars.has(element);
  containers.sort(compareValues);
  return (element) =>
    typeof element === 'object' && element !== null ? holds(containers, element) : scalars.has(element);
}

function holds(sorted: readonly JsonValue[], value: JsonValue): boolean {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const order = compareValues(sorted[middle]!, value);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** Fractions are cut off; what does not fit into 64 bits matches nothing. */
function remainderOf(divisor: number, remainder: number): ElementPredicate {
  return (element) => {
    if (typeof element !== 'number') return false;
    const dividend = Math.trunc(element);
    return dividend >= -(2 ** 63) && dividend < 2 ** 63 && dividend % divisor === remainder;
  };
}
