import type { JsonValue } from '../../model/json.js';
import { compile, compileQuery, type Root } from '../compile.js';
import { DocumentView } from '../document-view.js';
import type { ElementTest, Expression, FieldPath } from '../expression.js';
import { entryConditionOf } from '../metadata-entry.js';
import { compilePattern } from '../pattern/pattern.js';
import { arrayIndexOf } from '../values.js';
import { nextNumber, nextText } from './successors.js';

/** What a condition looks at: the values that a path yields within one metadata key, the version, the id, or anything. */
export interface Place {
  root: 'metadata' | 'version' | 'id' | 'any';
  /** of metadata */
  key: string;
  /** within the value of the key */
  path: FieldPath;
}

/** Something that one place of a document has or has not, and that can be looked up from what stands there. */
export type Trait =
  | { kind: 'number'; value: number }
  | { kind: 'text'; value: string }
  /** null (which a missing field has, too), false or true */
  | { kind: 'constant'; value: null | boolean }
  /** an object or array, as JSON text */
  | { kind: 'json'; value: string }
  | { kind: 'type'; value: number }
  | { kind: 'size'; value: number }
  /** a text has these three UTF-16 units in a row; anchored: at its start; lower: in `toLowerCase()` of it */
  | { kind: 'gram'; value: string; anchored: boolean; lower: boolean }
  /** something is there */
  | { kind: 'exists' };

export interface PlacedTrait {
  place: Place;
  trait: Trait;
}

/** One of these must be there for the condition to hold. */
export type Need = readonly PlacedTrait[];

/** A condition by itself. None holds where its metadata key is missing. */
export type Leaf =
  /** one of the traits is there */
  | { kind: 'traits'; place: Place; traits: readonly Trait[] }
  /** some value is not less than the bound, and of its type */
  | { kind: 'from'; place: Place; bound: number | string }
  /** some value is less than the bound, and of its type */
  | { kind: 'below'; place: Place; bound: number | string }
  /** evaluated; depends on these places, and can hold only if each of the needs is met */
  | { kind: 'evaluated'; expression: Expression; places: readonly Place[]; needs: readonly Need[] };

/** A query as a tree over conditions. */
export type Tree =
  | { kind: 'and' | 'or'; of: readonly Tree[] }
  | { kind: 'not'; of: Tree }
  | { kind: 'leaf'; leaf: Leaf }
  | { kind: 'constant'; value: boolean };

const TRUE: Tree = { kind: 'constant', value: true };
const FALSE: Tree = { kind: 'constant', value: false };
const VERSION: Place = { root: 'version', key: '', path: [] };
const ID: Place = { root: 'id', key: '', path: [] };
const ANY: Place = { root: 'any', key: '', path: [] };

/** Units of a text by which it is looked for. */
export const GRAM_UNITS = 3;

/** A condition on entries of more keys is evaluated as one. */
const MOST_KEYS = 8;
/** An `$in` of more values does not say where to look for what it holds of. */
const MOST_NEEDED = 16;

/** Takes a query apart into conditions that the index knows how to find. O(size of the query). */
export function takeApart(expression: Expression): Tree {
  switch (expression.kind) {
    case 'and':
    case 'or':
      return join(expression.kind, expression.clauses.map(takeApart));
    case 'not':
      return negate(takeApart(expression.clause));
    case 'never':
      return FALSE;
    case 'condition':
      return ofDocument(expression);
  }
}

type Condition = Extract<Expression, { kind: 'condition' }>;

function ofDocument(condition: Condition): Tree {
  const { path, test } = condition;
  switch (path[0]) {
    case 'application_version':
      return path.length === 1 ? ofValue(VERSION, test, condition) : evaluated(condition, [VERSION], []);
    case 'endpoint_id':
      return path.length === 1 ? ofValue(ID, test, condition) : evaluated(condition, [ID], []);
    case 'metadata':
      break;
    default:
      return compileQuery(condition)(NO_DOCUMENT) ? TRUE : FALSE;
  }
  const entry = entryConditionOf(path, test);
  if (entry === undefined) return evaluated(condition, [ANY], []);
  if (entry.keys.length <= MOST_KEYS)
    return join(
      'or',
      entry.keys.map((key) => ofKey(key, entry.query)),
    );
  const places = entry.keys.map((key): Place => ({ root: 'metadata', key, path: [] }));
  return evaluated(condition, places, []);
}

const NO_DOCUMENT = new DocumentView({ endpointId: '', applicationVersion: '', metadata: {} });

/** "The metadata have the key, and its entry satisfies the query." */
function ofKey(key: string, query: Expression): Tree {
  const inner = ofEntry(key, query);
  if (!holdsOfNothing(inner)) return inner;
  const there = leafOf({
    kind: 'traits',
    place: { root: 'metadata', key, path: [] },
    traits: [{ kind: 'exists' }],
  });
  return join('and', [there, inner]);
}

function ofEntry(key: string, query: Expression): Tree {
  switch (query.kind) {
    case 'and':
    case 'or':
      return join(
        query.kind,
        query.clauses.map((clause) => ofEntry(key, clause)),
      );
    case 'not':
      return negate(ofEntry(key, query.clause));
    case 'never':
      return FALSE;
    case 'condition': {
      const [field, ...path] = query.path;
      // the other fields of an entry are its key, which is known, and none: the value plays no part
      if (field !== 'value') return compile(query, keyRoot(key))(null) ? TRUE : FALSE;
      const whole: Expression = {
        kind: 'condition',
        path: ['metadata'],
        test: {
          kind: 'elementDocument',
          query: {
            kind: 'and',
            clauses: [{ kind: 'condition', path: ['key'], test: { kind: 'equal', operand: key } }, query],
          },
        },
      };
      return ofValue({ root: 'metadata', key, path }, query.test, whole);
    }
  }
}

function keyRoot(key: string): Root<JsonValue> {
  return { field: (name) => () => (name === 'key' ? key : undefined) };
}

/** Whether the tree holds where no condition does. */
function holdsOfNothing(tree: Tree): boolean {
  switch (tree.kind) {
    case 'and':
      return tree.of.every(holdsOfNothing);
    case 'or':
      return tree.of.some(holdsOfNothing);
    case 'not':
      return !holdsOfNothing(tree.of);
    case 'leaf':
      return false;
    case 'constant':
      return tree.value;
  }
}

/** @param whole the same condition, asked of the document */
function ofValue(place: Place, test: ElementTest, whole: Expression): Tree {
  switch (test.kind) {
    case 'equal': {
      const trait = traitOf(test.operand);
      return leafOf({ kind: 'traits', place, traits: [trait] });
    }
    case 'in':
      return anyOf(place, test.operands.map(traitOf));
    case 'exists':
      return leafOf({ kind: 'traits', place, traits: [{ kind: 'exists' }] });
    case 'type':
      return anyOf(
        place,
        test.codes.filter((code) => JSON_TYPES.has(code)).map((value) => ({ kind: 'type', value })),
      );
    case 'size':
      return leafOf({ kind: 'traits', place, traits: [{ kind: 'size', value: test.size }] });
    case 'ordered': {
      const { operand, ordering } = test;
      if (operand === null)
        return ordering === 'lte' || ordering === 'gte'
          ? leafOf({ kind: 'traits', place, traits: [{ kind: 'constant', value: null }] })
          : FALSE;
      const bound =
        typeof operand === 'number' && Number.isFinite(operand)
          ? ordering === 'gt' || ordering === 'lte'
            ? nextNumber(operand)
            : operand
          : typeof operand === 'string'
            ? ordering === 'gt' || ordering === 'lte'
              ? nextText(operand)
              : operand
            : undefined;
      if (bound === undefined) return evaluated(whole, [place], [[exists(place)]]);
      return leafOf({ kind: ordering === 'gt' || ordering === 'gte' ? 'from' : 'below', place, bound });
    }
    case 'mod':
      return evaluated(whole, [place], [[exists(place)]]);
    case 'regex':
      return evaluated(whole, [place], [...gramNeeds(place, test), [exists(place)]]);
    case 'elementDocument':
      return evaluated(whole, [place], [...innerNeeds(place, test.query), [exists(place)]]);
    case 'elementValue':
      return evaluated(whole, [place], [...elementNeeds(place, test.conditions), [exists(place)]]);
  }
}

/** Codes of BSON types that a JSON value can have. */
const JSON_TYPES: ReadonlySet<number> = new Set([1, 2, 3, 4, 8, 10, 16]);

function anyOf(place: Place, traits: readonly Trait[]): Tree {
  return traits.length === 0 ? FALSE : leafOf({ kind: 'traits', place, traits });
}

function exists(place: Place): PlacedTrait {
  return { place, trait: { kind: 'exists' } };
}

function traitOf(value: JsonValue): Trait {
  if (typeof value === 'number') return { kind: 'number', value: value === 0 ? 0 : value };
  if (typeof value === 'string') return { kind: 'text', value };
  if (value === null || typeof value === 'boolean') return { kind: 'constant', value };
  return { kind: 'json', value: JSON.stringify(value) };
}

function leafOf(leaf: Leaf): Tree {
  return { kind: 'leaf', leaf };
}

function evaluated(expression: Expression, places: readonly Place[], needs: readonly Need[]): Tree {
  return leafOf({ kind: 'evaluated', expression, places, needs });
}

function negate(of: Tree): Tree {
  if (of.kind === 'not') return of.of;
  if (of.kind === 'constant') return of.value ? FALSE : TRUE;
  return { kind: 'not', of };
}

/** Flattens, and leaves constants out. Cheap conditions come first. */
function join(kind: 'and' | 'or', clauses: readonly Tree[]): Tree {
  const decisive = kind === 'or';
  const of: Tree[] = [];
  for (const clause of clauses) {
    if (clause.kind === 'constant') {
      if (clause.value === decisive) return clause;
    } else if (clause.kind === kind) of.push(...clause.of);
    else of.push(clause);
  }
  if (of.length === 0) return decisive ? FALSE : TRUE;
  if (of.length === 1) return of[0]!;
  return {
    kind,
    of: of
      .map((tree) => ({ tree, cost: costOf(tree) }))
      .sort((a, b) => a.cost - b.cost)
      .map(({ tree }) => tree),
  };
}

function costOf(tree: Tree): number {
  switch (tree.kind) {
    case 'and':
    case 'or':
      return tree.of.reduce((sum, each) => sum + costOf(each), 0);
    case 'not':
      return costOf(tree.of);
    case 'leaf':
      return tree.leaf.kind === 'evaluated' ? 100 : 1;
    case 'constant':
      return 0;
  }
}

/**
 * What must be true of some field of the array's documents, said of the path through the array: it yields the fields of
 * all documents in the array. A field named by a position could be an array's element, which the path does not yield.
 */
function innerNeeds(place: Place, query: Expression): Need[] {
  switch (query.kind) {
    case 'and':
      return query.clauses.flatMap((clause) => innerNeeds(place, clause));
    case 'or': {
      const needs = query.clauses.map((clause) => innerNeeds(place, clause)[0]);
      const all = needs.filter((need) => need !== undefined);
      return all.length === needs.length ? [all.flat()] : [];
    }
    case 'not':
    case 'never':
      return [];
    case 'condition': {
      const inner: Place = { ...place, path: [...place.path, ...query.path] };
      if (query.path.some((name) => name === '' || arrayIndexOf(name) >= 0)) return [];
      return testNeeds(inner, query.test);
    }
  }
}

/** As innerNeeds, of conditions on the elements themselves, which the place yields. */
function elementNeeds(place: Place, conditions: Expression): Need[] {
  switch (conditions.kind) {
    case 'and':
      return conditions.clauses.flatMap((clause) => elementNeeds(place, clause));
    case 'condition':
      return testNeeds(place, conditions.test);
    default:
      return [];
  }
}

function testNeeds(place: Place, test: ElementTest): Need[] {
  const values = test.kind === 'equal' ? [test.operand] : test.kind === 'in' ? test.operands : undefined;
  if (values === undefined) return test.kind === 'ordered' && test.operand === null ? [] : [[exists(place)]];
  if (values.includes(null) || values.length > MOST_NEEDED) return [];
  return [values.map((value) => ({ place, trait: traitOf(value) }))];
}

/**
 * Every text that matches has the plain text that the pattern asks for, so it has each three units of it: the first, the
 * last and those in the middle are offered, of which the rarest will do.
 */
function gramNeeds(place: Place, test: Extract<ElementTest, { kind: 'regex' }>): Need[] {
  const compiled = compilePattern(test.pattern, test.options);
  if (!compiled.ok) return [];
  const { required, requiredLower } = compiled;
  const lower = requiredLower !== undefined;
  const text = requiredLower ?? required;
  if (text === undefined || text.text.length < GRAM_UNITS) return [];
  const last = text.text.length - GRAM_UNITS;
  return [...new Set([0, last >> 1, last])].map((at) => [
    {
      place,
      trait: {
        kind: 'gram',
        value: text.text.slice(at, at + GRAM_UNITS),
        anchored: text.anchored && at === 0,
        lower,
      },
    },
  ]);
}

/** Traits that a condition needs, as alternatives of which any one may be looked for. A bound is looked for itself. */
export function needsOfLeaf(leaf: Leaf): readonly Need[] {
  switch (leaf.kind) {
    case 'traits': {
      const { place, traits } = leaf;
      if (traits.length <= MOST_NEEDED) return [traits.map((trait) => ({ place, trait }))];
      return traits.some((trait) => trait.kind === 'constant' && trait.value === null)
        ? []
        : [[exists(place)]];
    }
    case 'from':
    case 'below':
      return [];
    case 'evaluated':
      return leaf.needs;
  }
}
