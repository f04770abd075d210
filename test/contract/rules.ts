import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { ANYTHING, AnyOrder, type Made, madeDate, madeTag, OPTIONAL } from './made-values.js';
import { isSameJson } from './oracles.js';
import { link } from './relation-rules.js';
import { select, type Wanted } from './selection.js';
import type { Endpoint, Filter, State } from './state.js';

export type Conditional = {
  /** headers as they are sent */
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
};

/** A request as its route sees it. */
export interface Request<Body = JsonValue> extends Conditional {
  endpointId: string;
  key: string;
  app: string;
  id: string;
  query: Wanted & { name?: string; relation?: string };
  body: Body;
  /** ids and tokens that the service made for what was created */
  made: { ids: string[]; tokens: string[] };
}

/** What is expected. `etag` absent: the answer has none. */
export interface Answer {
  status: number;
  code?: string;
  body?: unknown;
  etag?: Made | string;
}

/** That a request was not done. */
export class Fault implements Answer {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {}
}

export const NO_ENDPOINT = new Fault(404, 'endpoint-not-found');
export const NO_KEY = new Fault(404, 'metadata-key-not-found');
export const NO_VERSION = new Fault(404, 'application-version-not-found');
export const NO_APPLICATION = new Fault(404, 'application-not-found');

export interface Item {
  endpointId?: string;
  endpointToken?: string;
  metadata?: JsonObject;
  relations?: { from?: string; to?: string }[];
}
export type Change = { endpointId: string; set?: JsonObject; unset?: string[]; ifMatch?: string };
export type Draft = { name: string; description?: string; mongoQuery: JsonObject | string };

export function ok(body: unknown, etag?: Made): Answer {
  return etag === undefined ? { status: 200, body } : { status: 200, body, etag };
}

export function register(
  state: State,
  version: string,
  { endpointId, endpointToken, metadata = {}, relations = [] }: Item,
  madeId = '',
  madeToken = '',
): Endpoint | Fault {
  const application = state.world.versions[version];
  if (application === undefined) return NO_VERSION;
  if (endpointId !== undefined && state.endpoints.has(endpointId)) return new Fault(409, 'endpoint-exists');
  const [id, token, created] = [endpointId ?? madeId, endpointToken ?? madeToken, madeDate()];
  const links = relations.map(({ from = id, to = id }) => ({ from, to }));
  const linked = link(state, links, id);
  if (linked instanceof Fault) return linked;
  const fault = faultOf(state, {}, metadata);
  if (fault !== undefined) return fault;
  for (const other of state.endpoints.values())
    if (other.application === application && other.token === token) return new Fault(409, 'token-taken');
  const names = { endpointId: id, token, application, version };
  const endpoint: Endpoint = { ...names, versionSince: created, created, metadata, tag: madeTag(id) };
  const hasMetadata = Object.keys(metadata).length > 0;
  if (hasMetadata) endpoint.metadataUpdated = created;
  for (const relation of linked) state.relations.add(relation);
  const also = [
    ...(hasMetadata ? ['metadata-updated'] : []),
    ...(links.length > 0 ? ['relations-updated'] : []),
  ];
  state.replace(undefined, endpoint, 'registered', ...also);
  return endpoint;
}

export function registerBatch(
  state: State,
  version: string,
  items: readonly Item[],
  made: Request['made'],
): Answer {
  const [created, failed]: [object[], object[]] = [[], []];
  const earlier = new Set<string>();
  for (const item of items) {
    const { endpointId = null, endpointToken = null, metadata = {} } = item;
    const isRepeated = endpointId !== null && earlier.has(endpointId);
    const registered = isRepeated
      ? new Fault(409, 'endpoint-exists')
      : register(state, version, item, made.ids[created.length], made.tokens[created.length]);
    if (endpointId !== null) earlier.add(endpointId);
    if (registered instanceof Fault) {
      const why = { status: 'FAILED', code: registered.code, statusReason: ANYTHING };
      failed.push({ endpointId, endpointToken, metadata: JSON.stringify(metadata), ...why });
    } else created.push({ endpointId: registered.endpointId, endpointToken: registered.token, metadata });
  }
  return ok({ createdCount: created.length, failedCount: failed.length, created, failed });
}

/** Answers by `show`, if the endpoint is there and the conditions hold. */
export function read(
  state: State,
  { endpointId, ...conditions }: Conditional & { endpointId: string },
  show: (endpoint: Endpoint) => Answer,
): Answer {
  const endpoint = state.endpoints.get(endpointId);
  return endpoint === undefined
    ? NO_ENDPOINT
    : (unfulfilled(state, endpoint.tag, conditions) ?? show(endpoint));
}

export function readFilter(
  state: State,
  { app, id, ...conditions }: Conditional & { app: string; id: string },
  show: (filter: Filter) => Answer,
): Answer {
  const filter = state.filters.get(id);
  if (filter?.application !== app) return new Fault(404, 'filter-not-found');
  return unfulfilled(state, filter.tag, conditions) ?? show(filter);
}

/** RFC 9110: `If-Match` compares strongly, `If-None-Match` weakly. */
export function unfulfilled(
  state: State,
  tag: Made,
  { ifMatch, ifNoneMatch }: Conditional,
): Answer | undefined {
  const present = state.made.valueOf(tag) ?? '';
  const names = (tags: readonly string[]) => tags.includes('*') || tags.includes(present);
  if (ifMatch !== undefined && !names(ifMatch.split(', '))) return new Fault(412, 'precondition-failed');
  if (ifNoneMatch === undefined || !names(ifNoneMatch.replaceAll('W/', '').split(', '))) return undefined;
  return { status: 304, etag: tag };
}

/** A change of metadata: all of it, or nothing and why. `wish` makes of what is there what is to be. */
export function change(
  state: State,
  request: Conditional & { endpointId: string },
  wish: (metadata: JsonObject) => JsonObject | Fault,
): Answer {
  return read(state, request, (endpoint) => {
    const wished = wish(endpoint.metadata);
    if (wished instanceof Fault) return wished;
    const fault = faultOf(state, endpoint.metadata, wished);
    if (fault !== undefined) return fault;
    const { metadata, tag } = state.replaceMetadata(endpoint, wished);
    return ok(metadata, tag);
  });
}

function faultOf({ world }: State, before: JsonObject, after: JsonObject): Fault | undefined {
  const added = Object.keys(after).filter((key) => !Object.hasOwn(before, key));
  if (added.some((key) => !/^[a-zA-Z0-9_]+$/.test(key))) return new Fault(400, 'invalid-metadata-key');
  const isOther = (key: string) => !isSameJson(before[key], after[key]);
  if (world.restrictedKeys.some(isOther)) return new Fault(403, 'key-restricted');
  const isTooMany = added.length > 0 && Object.keys(after).length > world.metadataKeys;
  return isTooMany ? new Fault(400, 'too-many-keys') : undefined;
}

/** Of a metadata batch. */
export function changeItem(state: State, { endpointId, set = {}, unset = [], ifMatch }: Change): object {
  const { status, code, etag } = change(state, { endpointId, ifMatch }, (metadata) =>
    without({ ...metadata, ...set }, unset),
  );
  const result = { endpointId, status };
  return code === undefined ? { ...result, etag } : { ...result, code, message: ANYTHING, details: OPTIONAL };
}

export function without(metadata: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !keys.includes(key)));
}

export function only(metadata: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => keys.includes(key)));
}

export function versionOf({ version, versionSince }: Endpoint): object {
  return { name: version, registeredDate: versionSince };
}

/** A parameter that may be repeated, and have commas. */
export function listOf(texts: string | string[] = []): string[] {
  return [texts].flat().flatMap((text) => text.split(','));
}

export function viewOf(state: State, endpoint: Endpoint, include?: string | string[]): object {
  const { endpointId, created, metadataUpdated, metadata } = endpoint;
  const dates = { createdDate: created, metadataUpdatedDate: metadataUpdated };
  const filters = [...state.filters.values()].filter((filter) => state.isMember(endpoint, filter));
  const included = listOf(include);
  return {
    ...{ endpointId, ...dates, appVersion: versionOf(endpoint) },
    ...(included.includes('metadata') ? { metadata } : {}),
    ...(included.includes('filters') ? { filters: new AnyOrder(filters.map(({ id }) => id)) } : {}),
  };
}

export function keysByVersion({ world, endpoints }: State, application: string): object {
  const versions = Object.keys(world.versions).filter((version) => world.versions[version] === application);
  const keysOf = (version: string) =>
    [...endpoints.values()]
      .filter((endpoint) => endpoint.version === version)
      .flatMap(({ metadata }) => Object.keys(metadata));
  return Object.fromEntries(versions.map((version) => [version, [...new Set(keysOf(version))].sort()]));
}

export function list(
  state: State,
  wanted: Wanted,
  show = (endpoint: Endpoint) => viewOf(state, endpoint, wanted.include),
): Answer {
  const { applicationName, applicationVersionName, filterId, offset = 0, limit = 1000 } = wanted;
  if (applicationName !== undefined && !isKnown(state, applicationName)) return NO_APPLICATION;
  if (applicationVersionName !== undefined && !(applicationVersionName in state.world.versions))
    return NO_VERSION;
  if (filterId !== undefined && !state.filters.has(filterId)) return new Fault(404, 'filter-not-found');
  const found = select(state, wanted);
  const end = Number(offset) + Number(limit);
  const content = found.slice(Number(offset), end).map(show);
  const next = end < found.length ? { nextCursor: ANYTHING } : {};
  return ok({ totalElements: found.length, content, ...next });
}

export function listFilters(state: State, app: string, query: Wanted & { name?: string }): Answer {
  const { name = '', offset = 0, limit = 1000 } = query;
  const found = [...state.filters.values()]
    .filter((filter) => filter.application === app && filter.name.includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = found.slice(Number(offset), Number(offset) + Number(limit));
  return ok({ totalElements: found.length, content: page.map((filter) => viewOfFilter(state, filter)) });
}

export function createFilter(state: State, application: string, id: string, draft: Draft): Answer {
  const { name, description = '', mongoQuery } = draft;
  if (isTaken(state, application, name)) return new Fault(409, 'filter-name-taken');
  const created = madeDate();
  const dates = { created, updated: created };
  const named = { id, application, name, description, query: queryOf(mongoQuery) };
  return activate(state, { ...named, ...dates, tag: madeTag(id) }, 201);
}

export function changeFilter(state: State, filter: Filter, change: Partial<Draft>): Answer {
  const { name = filter.name, description = filter.description, mongoQuery } = change;
  const query = mongoQuery === undefined ? filter.query : queryOf(mongoQuery);
  if (name !== filter.name && isTaken(state, filter.application, name))
    return new Fault(409, 'filter-name-taken');
  const isOtherQuery = JSON.stringify(query) !== JSON.stringify(filter.query);
  const isOther = isOtherQuery || name !== filter.name || description !== filter.description;
  if (!isOther) return ok(viewOfFilter(state, filter), filter.tag);
  const after = { ...filter, name, description, query, updated: madeDate(), tag: madeTag(filter.id) };
  if (isOtherQuery) return activate(state, after, 200);
  state.filters.set(filter.id, after);
  return ok(viewOfFilter(state, after), after.tag);
}

/** Pending in this answer, active before the next request is sent: its tag is another then. */
function activate(state: State, filter: Filter, status: number): Answer {
  state.filters.set(filter.id, { ...filter, tag: madeTag(filter.id) });
  for (const kind of ['filter-pending', 'filter-activated']) state.happened(filter.id, kind);
  const pending = { status: 'pending', matchedEndpointsCount: ANYTHING, progress: OPTIONAL };
  return { status, body: { ...viewOfFilter(state, filter), ...pending }, etag: filter.tag };
}

export function viewOfFilter(state: State, filter: Filter): object {
  const { id, name, description, query, created, updated } = filter;
  const members = [...state.endpoints.values()].filter((endpoint) => state.isMember(endpoint, filter));
  const view = { id, name, description, mongoQuery: query, createdDate: created, updatedDate: updated };
  return { ...view, status: 'active', matchedEndpointsCount: members.length };
}

export function isKnown({ world }: State, application: string): boolean {
  return Object.values(world.versions).includes(application);
}

function isTaken({ filters }: State, application: string, name: string): boolean {
  return [...filters.values()].some((other) => other.application === application && other.name === name);
}

function queryOf(mongoQuery: JsonObject | string): JsonObject {
  return typeof mongoQuery === 'string' ? (JSON.parse(mongoQuery) as JsonObject) : mongoQuery;
}
