import type { JsonValue } from '../model/json.js';
import type { DocumentView } from './document-view.js';
import { compileTest } from './element-test.js';
import type { ElementTest, Expression, FieldPath } from './expression.js';
import { entryConditionOf } from './metadata-entry.js';
import { routeOf, someElement, type ElementPredicate } from './path.js';
import { fieldOf } from './values.js';

export type Predicate<R> = (root: R) => boolean;

/** What the first component of a path means: how a kind of document is looked into. */
export interface Root<R> {
  /** reads a field */
  field(name: string): (root: R) => JsonValue | undefined;
  /** a shorter way for a condition, where there is one */
  shortcut?(path: FieldPath, test: ElementTest): Predicate<R> | undefined;
}

/** A JSON document, or an array seen as one. */
export const OBJECT_ROOT: Root<JsonValue> = {
  field: (name) => (root) => fieldOf(root, name),
};

/** The queried document, its metadata entries looked up by key where the condition names one. */
const DOCUMENT_ROOT: Root<DocumentView> = {
  field: (name) => {
    switch (name) {
      case 'endpoint_id':
        return (view) => view.endpointId;
      case 'application_version':
        return (view) => view.applicationVersion;
      case 'metadata':
        return (view) => view.entries();
      default:
        return () => undefined;
    }
  },
  shortcut: (path, test) => {
    const entry = entryConditionOf(path, test);
    if (entry === undefined) return undefined;
    const byKey = entry.keys.map((key) => ({ key, holds: compile(entry.query, entryRoot(key)) }));
    const only = byKey[0];
    if (byKey.length === 1 && only !== undefined) {
      const { key, holds } = only;
      return (view) => holdsOf(view.value(key), holds);
    }
    return (view) => byKey.some(({ key, holds }) => holdsOf(view.value(key), holds));
  },
};

function holdsOf(value: JsonValue | undefined, holds: Predicate<JsonValue>): boolean {
  return value !== undefined && holds(value);
}

/** A metadata entry `{key, value}` of a known key, given by its value alone: no document is built for it. */
function entryRoot(key: string): Root<JsonValue> {
  return {
    field: (name) => {
      if (name === 'value') return (value) => value;
      return name === 'key' ? () => key : () => undefined;
    },
  };
}

/** Compiles a query on the queried document. */
export function compileQuery(expression: Expression): Predicate<DocumentView> {
  return compile(expression, DOCUMENT_ROOT);
}

/** Compiles an expression to closures, once; nothing is interpreted at evaluation. */
export function compile<R>(expression: Expression, root: Root<R>): Predicate<R> {
  switch (expression.kind) {
    case 'and':
      return conjunction(expression.clauses.map((clause) => compile(clause, root)));
    case 'or':
      return disjunction(expression.clauses.map((clause) => compile(clause, root)));
    case 'not': {
      const clause = compile(expression.clause, root);
      return (document) => !clause(document);
    }
    case 'never':
      return () => false;
    case 'condition':
      return (
        root.shortcut?.(expression.path, expression.test) ?? condition(expression.path, expression.test, root)
      );
  }
}

function condition<R>(path: FieldPath, test: ElementTest, root: Root<R>): Predicate<R> {
  const entersLeafArray =
    test.kind !== 'size' && test.kind !== 'elementDocument' && test.kind !== 'elementValue';
  const route = routeOf(path, entersLeafArray);
  const predicate = compileTest(test);
  const read = root.field(path[0] ?? '');
  if (path.length > 1) return (document) => someElement(read(document), route, 1, predicate);
  if (!entersLeafArray) return (document) => predicate(read(document));
  return (document) => someOfLeaf(read(document), predicate);
}

function someOfLeaf(value: JsonValue | undefined, predicate: ElementPredicate): boolean {
  if (Array.isArray(value)) for (const element of value) if (predicate(element)) return true;
  return predicate(value);
}

function conjunction<R>(clauses: Predicate<R>[]): Predicate<R> {
  const [first, second] = clauses;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (clauses.length === 2) return (document) => first(document) && second(document);
  return (document) => clauses.every((clause) => clause(document));
}

function disjunction<R>(clauses: Predicate<R>[]): Predicate<R> {
  const [first, second] = clauses;
  if (first === undefined) return () => false;
  if (second === undefined) return first;
  if (clauses.length === 2) return (document) => first(document) || second(document);
  return (document) => clauses.some((clause) => clause(document));
}
