import { nestingOf, pointerToken, type JsonObject, type JsonValue } from '../model/json.js';
import type { Expression } from './expression.js';
import type { QueryFault, QueryLimits } from './query.js';

export const LOGICAL_OPERATORS: ReadonlySet<string> = new Set(['$and', '$or', '$nor']);

export const FIELD_OPERATORS: ReadonlySet<string> = new Set(
  '$eq $ne $gt $gte $lt $lte $in $nin $not $exists $type $size $all $elemMatch $mod $regex $options'.split(
    ' ',
  ),
);

/** So many faults are told; a caller mends these first. */
const MAX_FAULTS = 100;

/** In the place of what could not be parsed: never evaluated, as the query has faults. */
export const UNPARSED: Expression = { kind: 'never' };

/** Where the parser is. */
export interface Place {
  /** the place around it, and its name there; absent: the query itself */
  within?: Place;
  name?: string | number;
  depth: number;
}

/** What one parsing gathers. */
export interface Parsing {
  readonly limits: QueryLimits;
  readonly faults: QueryFault[];
  conditions: number;
  patterns: number;
}

export function childOf(place: Place, name: string | number): Place {
  return { within: place, name, depth: place.depth };
}

export function nestedIn(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

/** As a JSON pointer (RFC 6901); only faults need it. */
function pointerTo({ within, name }: Place): string {
  if (within === undefined || name === undefined) return '';
  return `${pointerTo(within)}/${pointerToken(String(name))}`;
}

/** Notes a fault; returns what stands for the part that has it. */
export function fault(parsing: Parsing, place: Place, message: string): Expression {
  if (parsing.faults.length < MAX_FAULTS) parsing.faults.push({ path: pointerTo(place), message });
  return UNPARSED;
}

/** Whether the place is deeper than allowed, which is a fault; what is there must not be walked then. */
export function isTooDeep(parsing: Parsing, place: Place): boolean {
  const { maxDepth } = parsing.limits;
  if (place.depth <= maxDepth) return false;
  fault(parsing, place, `The query is nested deeper than ${maxDepth} levels; flatten it.`);
  return true;
}

/** A value that is compared, not run: names in it are plain, even with a "$". */
export function checkLiteral(parsing: Parsing, place: Place, value: JsonValue): void {
  const left = Math.max(parsing.limits.maxDepth - place.depth, 0);
  isTooDeep(parsing, { ...place, depth: place.depth + nestingOf(value, left) });
}

/** A short description of what was found. */
export function describe(value: JsonValue): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty object' : 'an object';
  const text = JSON.stringify(value);
  return `the ${typeof value} ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`;
}

export function operatorNamesOf(value: JsonObject): { operators: string[]; names: string[] } {
  const operators: string[] = [];
  const names: string[] = [];
  for (const name of Object.keys(value)) (name.startsWith('$') ? operators : names).push(name);
  return { operators, names };
}

export function unknownOperator(name: string): string {
  const allowed = [...LOGICAL_OPERATORS, ...FIELD_OPERATORS].join(', ');
  return `The operator "${name}" is not supported. Allowed are ${allowed}.`;
}
