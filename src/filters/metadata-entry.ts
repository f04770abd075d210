import type { ElementTest, Expression, FieldPath } from './expression.js';

/** "Some metadata entry of one of these keys satisfies the query", which is asked of `{key, value}`. */
export interface EntryCondition {
  keys: readonly string[];
  query: Expression;
}

const ALWAYS: Expression = { kind: 'and', clauses: [] };

/**
 * The condition as one on the entries of known keys, or undefined where it may be satisfied by an entry of any key.
 * Keys are unique in the metadata, so that such a condition depends on the entries of those keys alone.
 */
export function entryConditionOf(path: FieldPath, test: ElementTest): EntryCondition | undefined {
  if (path[0] !== 'metadata') return undefined;
  if (path.length === 1 && test.kind === 'elementDocument') {
    const keys = pinnedKeys(test.query);
    return keys && { keys, query: test.query };
  }
  if (path.length === 2 && path[1] === 'key') {
    // Each entry has one key, a string: `metadata.key` holds a string if and only if the metadata has that key.
    const keys = stringsOf(test);
    return keys && { keys, query: ALWAYS };
  }
  return undefined;
}

/** Keys that an entry must have one of to satisfy the query; undefined: it may have any. */
function pinnedKeys(query: Expression): readonly string[] | undefined {
  if (query.kind === 'and') {
    for (const clause of query.clauses) {
      const keys = pinnedKeys(clause);
      if (keys !== undefined) return keys;
    }
    return undefined;
  }
  if (query.kind === 'condition' && query.path.length === 1 && query.path[0] === 'key') {
    return stringsOf(query.test);
  }
  return undefined;
}

function stringsOf(test: ElementTest): readonly string[] | undefined {
  if (test.kind === 'equal') return typeof test.operand === 'string' ? [test.operand] : undefined;
  if (test.kind !== 'in') return undefined;
  const strings = new Set<string>();
  for (const operand of test.operands) {
    if (typeof operand !== 'string') return undefined;
    strings.add(operand);
  }
  return [...strings];
}
