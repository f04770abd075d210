import type { JsonValue } from '../model/json.js';

/** Components of a dotted path. One empty component stands for the empty path. */
export type FieldPath = readonly string[];

export type Ordering = 'lt' | 'lte' | 'gt' | 'gte';

/** A condition on one element: a value, an array element, or nothing (a missing field). */
export type ElementTest =
  | { kind: 'equal'; operand: JsonValue }
  | { kind: 'ordered'; ordering: Ordering; operand: JsonValue }
  | { kind: 'in'; operands: readonly JsonValue[] }
  | { kind: 'exists' }
  /** BSON type codes, ascending */
  | { kind: 'type'; codes: readonly number[] }
  | { kind: 'size'; size: number }
  | { kind: 'mod'; divisor: number; remainder: number }
  /** a pattern that `compilePattern` takes */
  | { kind: 'regex'; pattern: string; options: string }
  /** some element of the array is a document (or an array, seen as one) that the query matches */
  | { kind: 'elementDocument'; query: Expression }
  /** some element of the array satisfies the conditions, whose paths are not used */
  | { kind: 'elementValue'; conditions: Expression };

/** A query after parsing, plain data that survives JSON: `$ne`, `$nin`, `$nor` and `$exists: false` are negations, as MongoDB reads them. */
export type Expression =
  | { kind: 'and'; clauses: readonly Expression[] }
  | { kind: 'or'; clauses: readonly Expression[] }
  | { kind: 'not'; clause: Expression }
  /** `$all: []` */
  | { kind: 'never' }
  | { kind: 'condition'; path: FieldPath; test: ElementTest };
