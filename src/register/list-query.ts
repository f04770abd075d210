import { parseQuery, type Query, queryOfMetadataFilter } from '../filters/index.js';
import { type FaultDetail, type Refusal, refuse } from '../model/errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../model/json.js';
import { headOf, metadataOf } from '../model/record.js';
import type { RecordQuery } from '../storage/index.js';
import type { ListQuery } from './types.js';

type Conditions = Pick<RecordQuery, 'where' | 'test'> & { endpointIds?: readonly string[] };

/** What a list's parameters ask of a record, as the storage takes it. */
export function conditionsOf(list: ListQuery): Conditions | Refusal {
  const parts: { name: string; query: JsonObject }[] = [];
  const conditions: Conditions = {};
  if (list.endpointIds !== undefined) {
    if (list.regex)
      parts.push({ name: 'endpointId', query: { endpoint_id: pattern(list.endpointIds[0] ?? '') } });
    else conditions.endpointIds = list.endpointIds;
  }
  if (list.metadataFilter?.kind === 'object') {
    const value = list.regex ? withPatterns(list.metadataFilter.value) : list.metadataFilter.value;
    parts.push({ name: 'metadataFilter', query: queryOfMetadataFilter(value) });
  } else if (list.metadataFilter !== undefined) {
    for (const [key, text] of list.metadataFilter.pairs) {
      const value: JsonValue = list.regex ? pattern(text) : { $in: readings(text) };
      parts.push({ name: 'metadataFilter', query: { metadata: { $elemMatch: { key, value } } } });
    }
  }
  if (list.query !== undefined) {
    if (!isJsonObject(list.query)) return refuse('invalid-query', 'A query is an object.');
    parts.push({ name: 'query', query: list.query });
  }
  const details: FaultDetail[] = [];
  for (const { name, query } of parts) {
    const parsed = parseQuery(query);
    if (!parsed.ok)
      details.push(
        ...parsed.faults.map((fault) => ({ path: name, message: `${fault.path}: ${fault.message}` })),
      );
  }
  if (list.multiFilter !== undefined) {
    const test = textTest(list.multiFilter, list.regex);
    if (typeof test === 'string') details.push({ path: 'multiFilter', message: test });
    else conditions.test = test;
  }
  if (details.length > 0)
    return refuse(
      list.query === undefined ? 'invalid-parameter' : 'invalid-query',
      details[0]!.message,
      details,
    );
  const where = combine(parts.map((part) => part.query));
  if (where !== undefined) conditions.where = where;
  return conditions;
}

function combine(queries: JsonObject[]): Query | undefined {
  if (queries.length === 0) return undefined;
  const parsed = parseQuery(queries.length === 1 ? queries[0]! : { $and: queries }, {
    maxDepth: Infinity,
    maxConditions: Infinity,
    maxPatternBytes: Infinity,
  });
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
function textTest(text: string, regex: boolean): ((record: Uint8Array) => boolean) | string {
  let fits = (candidate: string) => candidate.includes(text);
  if (regex) {
    const parsed = parseQuery({ endpoint_id: pattern(text) });
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
