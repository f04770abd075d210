import {
  NO_QUERY_LIMITS,
  parseQuery,
  type Query,
  type QueryLimits,
  queryOfMetadataFilter,
} from '../filters/index.js';
import { type FaultDetail, type Refusal, refuse } from '../model/errors.js';
import type { JsonObject, JsonValue } from '../model/json.js';
import { headOf, metadataOf } from '../model/record.js';
import type { RecordQuery } from '../storage/index.js';
import { readQuery } from './read-query.js';
import type { ListQuery } from './types.js';

type Conditions = Pick<RecordQuery, 'where' | 'test'> & { endpointIds?: readonly string[] };

/**
 * What a list's parameters ask of a record, as the storage takes it. Or all that is wrong with them: details name a
 * parameter, or point into the query (`/query/...`).
 *
 * @param limits of each query and pattern by itself
 */
export function conditionsOf(list: ListQuery, limits: QueryLimits): Conditions | Refusal {
  const parts: { name: string; query: JsonObject }[] = [];
  const conditions: Conditions = {};
  const details: FaultDetail[] = [];
  if (list.endpointIds !== undefined) {
    if (list.regex)
      parts.push({ name: 'endpointId', query: { endpoint_id: pattern(list.endpointIds[0] ?? '') } });
    else conditions.endpointIds = list.endpointIds;
  }
  const { among } = list;
  if (among !== undefined)
    conditions.endpointIds = conditions.endpointIds?.filter((id) => among.has(id)) ?? [...among];
  if (list.metadataFilter?.kind === 'object') {
    const value = list.regex ? withPatterns(list.metadataFilter.value) : list.metadataFilter.value;
    const operator = Object.keys(value).find((key) => key.startsWith('$'));
    if (operator !== undefined) details.push({ path: 'metadataFilter', message: notAKey(operator) });
    parts.push({ name: 'metadataFilter', query: queryOfMetadataFilter(value) });
  } else if (list.metadataFilter !== undefined) {
    for (const [key, text] of list.metadataFilter.pairs) {
      const value: JsonValue = list.regex ? pattern(text) : { $in: readings(text) };
      parts.push({ name: 'metadataFilter', query: { metadata: { $elemMatch: { key, value } } } });
    }
  }
  const queries: Query[] = [];
  for (const { name, query } of parts) {
    const parsed = parseQuery(query, limits);
    if (parsed.ok) queries.push(parsed.query);
    else
      details.push(
        ...parsed.faults.map((fault) => ({ path: name, message: `${fault.path}: ${fault.message}` })),
      );
  }
  if (list.query !== undefined) {
    const read = readQuery(list.query, 'query', limits);
    if ('kind' in read) details.push(...read.details!);
    else queries.push(read.query);
  }
  if (list.multiFilter !== undefined) {
    const test = textTest(list.multiFilter, list.regex, limits);
    if (typeof test === 'string') details.push({ path: 'multiFilter', message: test });
    else conditions.test = test;
  }
  if (details.length > 0) {
    const code = details.every(({ path }) => path.startsWith('/')) ? 'invalid-query' : 'invalid-parameter';
    return refuse(code, details[0]!.message, details);
  }
  const where = combine(queries);
  if (where !== undefined) conditions.where = where;
  return conditions;
}

function notAKey(operator: string): string {
  return `names metadata keys; "${operator.slice(0, 80)}" is an operator. Conditions that operators join go into "query" of POST /endpoints/search.`;
}

function combine(queries: readonly Query[]): Query | undefined {
  if (queries.length <= 1) return queries[0];
  const parsed = parseQuery({ $and: queries.map(({ source }) => source) }, NO_QUERY_LIMITS);
  // each part was taken by itself; a list must never widen because the whole was not
  if (!parsed.ok) throw new Error(`A list's conditions can not be combined: ${parsed.faults[0]?.message}`);
  return parsed.query;
}

function pattern(source: string): JsonObject {
  return { $regex: source, $options: 'i' };
}

/** With `regex=true`, texts of a metadata filter are patterns; operators stay what they are. */
function withPatterns(filter: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(filter).map(([key, value]) => [key, typeof value === 'string' ? pattern(value) : value]),
  );
}

/** What a text from a URL can mean: the text, and the number, boolean or null that it spells. */
function readings(text: string): JsonValue[] {
  if (text === 'true') return [text, true];
  if (text === 'false') return [text, false];
  if (text === 'null') return [text, null];
  const number = text.trim() === '' ? NaN : Number(text);
  return Number.isFinite(number) ? [text, number] : [text];
}

/** A test for `multiFilter`: the id, or any text, number or boolean in the metadata at any depth. Or what is wrong with it. */
function textTest(
  text: string,
  regex: boolean,
  limits: QueryLimits,
): ((record: Uint8Array) => boolean) | string {
  let fits = (candidate: string) => candidate.includes(text);
  if (regex) {
    const parsed = parseQuery({ endpoint_id: pattern(text) }, limits);
    if (!parsed.ok) return parsed.faults[0]!.message;
    fits = (candidate) =>
      parsed.query.matches({ endpointId: candidate, applicationVersion: '', metadata: {} });
  }
  return (record) => fits(headOf(record).endpointId) || anyLeaf(metadataOf(record), fits);
}

function anyLeaf(value: JsonValue, fits: (text: string) => boolean): boolean {
  if (value === null) return false;
  if (typeof value === 'object') return Object.values(value).some((inner) => anyLeaf(inner, fits));
  return fits(String(value));
}
