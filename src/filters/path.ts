import { isJsonObject, type JsonValue } from '../model/json.js';
import type { FieldPath } from './expression.js';
import { arrayIndexOf, fieldOf } from './values.js';

/** A condition on one element; undefined stands for a missing field. */
export type ElementPredicate = (element: JsonValue | undefined) => boolean;

/** A path as it is walked: its components, and the array positions that they name (-1: none). */
export interface Route {
  readonly parts: FieldPath;
  readonly positions: readonly number[];
  /** whether a leaf array is also tried element by element; `$size` and `$elemMatch` want the array alone */
  readonly entersLeafArray: boolean;
}

export function routeOf(path: FieldPath, entersLeafArray: boolean): Route {
  return { parts: path, positions: path.map(arrayIndexOf), entersLeafArray };
}

/**
 * Whether one of the elements that MongoDB's path traversal yields satisfies the predicate. The rules, all its own:
 * - a missing field, and a scalar where a document is needed, yield "missing";
 * - a leaf array yields each element and then itself; arrays inside it are not entered;
 * - an array on the way yields what its documents yield for the rest of the path; scalars and arrays inside it, and
 *   an empty array, yield nothing (not even "missing");
 * - a numeric component is tried as a field name of the array's documents and as a position of the array; an array at
 *   a final position is yielded whole and not entered, an array at an inner position is walked on.
 *
 * @param value what the field named by `parts[at - 1]` holds
 * @param at the component that comes next
 */
export function someElement(
  value: JsonValue | undefined,
  route: Route,
  at: number,
  predicate: ElementPredicate,
): boolean {
  const { parts } = route;
  for (;;) {
    if (Array.isArray(value)) return someOfArray(value, route, at, predicate);
    if (at >= parts.length || value === undefined) return predicate(value);
    if (!isJsonObject(value)) return predicate(undefined);
    value = fieldOf(value, parts[at]!);
    at++;
  }
}

function someOfArray(array: JsonValue[], route: Route, at: number, predicate: ElementPredicate): boolean {
  if (!endsAt(route.parts, at)) return someInside(array, route, at, predicate);
  if (route.entersLeafArray) {
    for (const element of array) if (predicate(element)) return true;
  }
  return predicate(array);
}

/** MongoDB looks at the text that is left, so that an empty last component ("a.") is no component for an array. */
function endsAt(parts: FieldPath, at: number): boolean {
  return at >= parts.length || (at === parts.length - 1 && parts[at] === '');
}

function someInside(array: JsonValue[], route: Route, at: number, predicate: ElementPredicate): boolean {
  const { parts } = route;
  const name = parts[at]!;
  const position = route.positions[at]!;
  const isLast = at === parts.length - 1;
  for (let i = 0; i < array.length; i++) {
    const element = array[i]!;
    if (isJsonObject(element)) {
      if (someElement(fieldOf(element, name), route, at + 1, predicate)) return true;
      if (i !== position) continue;
      if (isLast) {
        if (predicate(element)) return true;
      } else if (someElement(fieldOf(element, parts[at + 1]!), route, at + 2, predicate)) return true;
    } else if (i === position) {
      if (isLast) {
        if (predicate(element)) return true;
      } else if (Array.isArray(element) && someOfArray(element, route, at + 1, predicate)) return true;
    }
  }
  return false;
}
