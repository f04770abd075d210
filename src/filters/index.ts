/** The filter language: parse, check and evaluate saved MongoDB queries over endpoints, and find what flips. */
export { createFilterSet, type FilterReader, type FilterSet, readFilterSet } from './filter-set.js';
export type { FilterName } from './matching/filter-table.js';
export { type MatchingBudget, TooMuchWork } from './matching/decider.js';
export { queryOfMetadataFilter } from './metadata-filter.js';
export { parseQuery, parseSavedQuery } from './parse-query.js';
export {
  DEFAULT_QUERY_LIMITS,
  type FilterDocument,
  NO_QUERY_LIMITS,
  type ParseResult,
  type Query,
  type QueryFault,
  type QueryLimits,
} from './query.js';
export { hintsOf } from './query-hints.js';
export type { Requirement, Scalar, ValueTest } from './requirement.js';
export type { JsonObject, JsonValue } from '../model/json.js';
