import type { JsonObject, JsonValue } from '../../src/model/json.js';

export type Scalar = string | number | boolean;

export interface Bounds {
  gt?: number;
  gte?: number;
  lt?: number;
  lte?: number;
}

/** One condition of a generated filter, in no engine's language. Each has the same answer in all of them. */
export type Clause =
  /** the key has this value */
  | { kind: 'equals'; key: string; value: Scalar }
  /** the key has another value than this */
  | { kind: 'differs'; key: string; value: Scalar }
  | { kind: 'in'; key: string; values: readonly Scalar[] }
  /** the key's value is a list, and has one of these */
  | { kind: 'holds'; key: string; values: readonly string[] }
  | { kind: 'range'; key: string; bounds: Bounds }
  /** the key's value is an object, and its members are within these */
  | { kind: 'box'; key: string; members: Readonly<Record<string, Bounds>> }
  | { kind: 'pattern'; key: string; pattern: string; ignoresCase: boolean }
  | { kind: 'exists'; key: string }
  | { kind: 'absent'; key: string }
  | { kind: 'endpoint'; id: string }
  | { kind: 'or'; clauses: readonly Clause[] };

/** A filter: all of its clauses must hold. */
export type Filter = readonly Clause[];

const ID = 'endpoint_id';

function boundsQuery(bounds: Bounds): JsonObject {
  return Object.fromEntries(Object.entries(bounds).map(([name, value]) => [`$${name}`, value as number]));
}

/** What MongoDB's language says of a value; undefined: nothing, only that there is one. */
function operandOf(clause: Clause): JsonValue | undefined {
  switch (clause.kind) {
    case 'equals':
      return clause.value;
    case 'differs':
      return { $ne: clause.value };
    case 'in':
      return { $in: [...clause.values] };
    case 'holds':
      return clause.values.length === 1 ? clause.values[0]! : { $in: [...clause.values] };
    case 'range':
      return boundsQuery(clause.bounds);
    case 'pattern':
      return { $regex: clause.pattern, ...(clause.ignoresCase ? { $options: 'i' } : {}) };
    case 'box':
    case 'exists':
    case 'absent':
    case 'endpoint':
    case 'or':
      return undefined;
  }
}

/** As this platform stores filters: MongoDB queries of `{endpoint_id, application_version, metadata: [{key, value}]}`. */
export function storedQuery(filter: Filter): JsonObject {
  return joined(filter.map(storedClause));
}

function storedClause(clause: Clause): JsonObject {
  switch (clause.kind) {
    case 'or':
      return { $or: clause.clauses.map(storedClause) };
    case 'endpoint':
      return { [ID]: clause.id };
    case 'absent':
      return { metadata: { $not: { $elemMatch: { key: clause.key } } } };
    case 'box': {
      const members = Object.entries(clause.members).map(([name, bounds]) => [
        `value.${name}`,
        boundsQuery(bounds),
      ]);
      return { metadata: { $elemMatch: { key: clause.key, ...Object.fromEntries(members) } as JsonObject } };
    }
    default: {
      const value = operandOf(clause);
      return { metadata: { $elemMatch: { key: clause.key, ...(value === undefined ? {} : { value }) } } };
    }
  }
}

/** The same as MongoDB queries of flat documents, `{endpoint_id, <key>: <value>}`: less work for who evaluates them. */
export function flatQuery(filter: Filter): JsonObject {
  return joined(filter.map(flatClause));
}

function flatClause(clause: Clause): JsonObject {
  switch (clause.kind) {
    case 'or':
      return { $or: clause.clauses.map(flatClause) };
    case 'endpoint':
      return { [ID]: clause.id };
    case 'exists':
      return { [clause.key]: { $exists: true } };
    case 'absent':
      return { [clause.key]: { $exists: false } };
    case 'differs':
      return { [clause.key]: { $exists: true, $ne: clause.value } };
    case 'box': {
      const { key, members } = clause;
      return Object.fromEntries(
        Object.entries(members).map(([name, bounds]) => [`${key}.${name}`, boundsQuery(bounds)]),
      );
    }
    default:
      return { [clause.key]: operandOf(clause)! };
  }
}

/** One object where no two parts have a name in common, `$and` otherwise. */
function joined(parts: JsonObject[]): JsonObject {
  const names = parts.flatMap((part) => Object.keys(part));
  if (new Set(names).size === names.length) return Object.assign({}, ...parts) as JsonObject;
  return { $and: parts };
}

/** The same in koncorde's language, for flat documents. */
export function koncordeFilter(filter: Filter): JsonObject {
  const parts = filter.map(koncordeClause);
  return parts.length === 1 ? parts[0]! : { and: parts };
}

function koncordeClause(clause: Clause): JsonObject {
  switch (clause.kind) {
    case 'equals':
      return { equals: { [clause.key]: clause.value } };
    case 'differs':
      return { and: [{ exists: clause.key }, { not: { equals: { [clause.key]: clause.value } } }] };
    case 'in': {
      const { key, values } = clause;
      // Its `in` takes strings only.
      if (values.every((value) => typeof value === 'string')) return { in: { [key]: [...values] } };
      return { or: values.map((value) => ({ equals: { [key]: value } })) };
    }
    case 'holds': {
      const parts = clause.values.map((value) => ({ exists: `${clause.key}[${JSON.stringify(value)}]` }));
      return parts.length === 1 ? parts[0]! : { or: parts };
    }
    case 'range':
      return { range: { [clause.key]: { ...clause.bounds } } };
    case 'box': {
      const { key, members } = clause;
      return {
        and: Object.entries(members).map(([name, bounds]) => ({
          range: { [`${key}.${name}`]: { ...bounds } },
        })),
      };
    }
    case 'pattern': {
      const { key, pattern, ignoresCase } = clause;
      return { regexp: { [key]: ignoresCase ? { value: pattern, flags: 'i' } : pattern } };
    }
    case 'exists':
      return { exists: clause.key };
    case 'absent':
      return { not: { exists: clause.key } };
    case 'endpoint':
      return { equals: { [ID]: clause.id } };
    case 'or':
      return { or: clause.clauses.map(koncordeClause) };
  }
}
