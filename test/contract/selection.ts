import { isJsonObject, type JsonObject, type JsonValue } from '../../src/model/json.js';
import { type Endpoint, isMatch, type State } from './state.js';

/** The parameters of a list, or the body of a search: values as JSON has them, or as a URL. */
export interface Wanted {
  tenantId?: string;
  applicationName?: string;
  applicationVersionName?: string;
  endpointId?: string | string[];
  endpointIds?: string[];
  filterId?: string;
  metadataFilter?: JsonObject | string;
  multiFilter?: string;
  regex?: boolean | 'true' | 'false';
  query?: JsonObject;
  sort?: string;
  offset?: number | string;
  limit?: number | string;
  include?: string | string[];
}

/** All that a list finds, in its order. */
export function select(state: State, wanted: Wanted): Endpoint[] {
  const [by, direction = 'asc'] = (wanted.sort ?? 'createdDate,desc').split(',');
  const sign = direction === 'asc' ? 1 : -1;
  const created = ({ created }: Endpoint) => Date.parse(state.made.valueOf(created)!);
  const byId = (a: Endpoint, b: Endpoint) => (a.endpointId < b.endpointId ? -1 : 1);
  return [...state.endpoints.values()]
    .filter((endpoint) => isWanted(state, endpoint, wanted))
    .sort((a, b) =>
      by === 'endpointId' ? sign * byId(a, b) : sign * (created(a) - created(b)) || byId(a, b),
    );
}

function isWanted(state: State, endpoint: Endpoint, wanted: Wanted): boolean {
  const { endpointId, application, version, metadata } = endpoint;
  const { tenantId, applicationName, applicationVersionName, filterId, metadataFilter, multiFilter } = wanted;
  const isPattern = String(wanted.regex) === 'true';
  const has = (text: string, part: string) =>
    isPattern ? new RegExp(part, 'iu').test(text) : text.includes(part);
  const ids =
    wanted.endpointIds ?? (wanted.endpointId === undefined ? undefined : [wanted.endpointId].flat());
  const filter = filterId === undefined ? undefined : state.filters.get(filterId)!;
  return (
    (tenantId === undefined || tenantId === state.world.tenant) &&
    (applicationName === undefined || applicationName === application) &&
    (applicationVersionName === undefined || applicationVersionName === version) &&
    (ids === undefined || (isPattern ? has(endpointId, ids[0]!) : ids.includes(endpointId))) &&
    (filter === undefined || state.isMember(endpoint, filter)) &&
    (multiFilter === undefined ||
      [endpointId, ...leavesOf(metadata)].some((text) => has(text, multiFilter))) &&
    (wanted.query === undefined || isMatch(endpoint, wanted.query)) &&
    (metadataFilter === undefined ||
      conditionsOf(metadataFilter, isPattern).every((query) => isMatch(endpoint, query)))
  );
}

/** `{"city":"Kyiv","temp":{"$gt":20}}` or `city:Kyiv,temp:4`: each key has such a value. */
function conditionsOf(filter: JsonObject | string, isPattern: boolean): JsonObject[] {
  const pattern = (text: string): JsonValue => ({ $regex: text, $options: 'i' });
  if (typeof filter === 'string' && !filter.startsWith('{')) {
    return filter.split(',').map((pair) => {
      const [key = '', text = ''] = pair.split(':');
      if (isPattern) return hasValue(key, pattern(text));
      return { $or: [text, ...spelledBy(text)].map((value) => hasValue(key, value)) };
    });
  }
  const conditions = typeof filter === 'string' ? (JSON.parse(filter) as JsonObject) : filter;
  return Object.entries(conditions).map(([key, value]) => {
    const wanted = isPattern && typeof value === 'string' ? pattern(value) : value;
    const lacksKey = { $nor: [{ metadata: { $elemMatch: { key } } }] };
    return { $or: [hasValue(key, wanted), { $and: [lacksKey, { 'endpoint_id.missing': wanted }] }] };
  });
}

function hasValue(key: string, value: JsonValue): JsonObject {
  return { metadata: { $elemMatch: { key, value } } };
}

/** `4` is the number as well as the text. */
function spelledBy(text: string): JsonValue[] {
  if (['true', 'false', 'null'].includes(text)) return [JSON.parse(text) as JsonValue];
  return text.trim() === '' || Number.isNaN(Number(text)) ? [] : [Number(text)];
}

/** Texts, numbers and booleans at any depth, as texts. */
function leavesOf(value: JsonValue): string[] {
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  if (isJsonObject(value)) return Object.values(value).flatMap(leavesOf);
  return value === null ? [] : [String(value)];
}
