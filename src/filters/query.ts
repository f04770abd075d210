import type { JsonObject, JsonValue } from '../model/json.js';
import type { Expression } from './expression.js';
import type { Requirement } from './requirement.js';

/**
 * What a query is asked about: stands for
 * `{endpoint_id, application_version, metadata: [{key, value}, ...]}` with the entries in the order of `metadata`'s keys.
 */
export interface FilterDocument {
  endpointId: string;
  applicationVersion: string;
  readonly metadata: JsonObject;
  /** characters of the metadata as JSON text, where that is known */
  readonly length?: number;
  /** one value of the metadata, where it is to be had without the others; undefined: there is none */
  value?(key: string): JsonValue | undefined;
}

/** One thing that is wrong with a query. */
export interface QueryFault {
  /** JSON pointer (RFC 6901) into the query; empty for the whole query */
  path: string;
  /** what is wrong, what was found, and the remedy */
  message: string;
}

/** How large a query may be. */
export interface QueryLimits {
  /** nested query objects, operands and literal values; the query itself is level 1, lists of clauses don't count */
  maxDepth: number;
  /** comparisons, also those within `$elemMatch`, each element of `$all` counted; an empty query counts as one */
  maxConditions: number;
  /** UTF-8 bytes of one `$regex` */
  maxPatternBytes: number;
  /** `$regex` in one query; absent: any number */
  maxPatterns?: number;
}

/** Of a query that was checked when it was saved: limits may have been lowered since. */
export const NO_QUERY_LIMITS: QueryLimits = {
  maxDepth: Infinity,
  maxConditions: Infinity,
  maxPatternBytes: Infinity,
};

export const DEFAULT_QUERY_LIMITS: QueryLimits = {
  maxDepth: 32,
  maxConditions: 1000,
  maxPatternBytes: 1024,
  maxPatterns: 100,
};

/** A parsed and compiled query. Immutable; may be shared by any number of filters. */
export interface Query {
  readonly source: JsonObject;
  /** what it says, as the index takes it apart */
  readonly expression: Expression;
  /** Metadata keys on which its truth can depend; null: any key. */
  readonly keys: ReadonlySet<string> | null;
  readonly usesVersion: boolean;
  readonly usesId: boolean;
  /** What must hold of single keys, for who keeps an index of values; absent: nothing that an index could answer. */
  readonly requirement?: Requirement | undefined;
  /** MongoDB's answer for this document. O(conditions), times the elements of arrays on their paths. Never throws. */
  matches(doc: FilterDocument): boolean;
}

export type ParseResult = { ok: true; query: Query } | { ok: false; faults: QueryFault[] };
