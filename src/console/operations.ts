import type { Api, QueryValue } from './api.js';
import type {
  Answer,
  Application,
  Endpoint,
  Filter,
  JsonValue,
  Metadata,
  Page,
  Preview,
} from './api-types.js';
import type { SignInOffer } from './sign-in/types.js';

const part = encodeURIComponent;

/** Whether somebody has to sign in, and where. @param tenant only of this one, which may not be listed */
export function askSignIn(api: Api, tenant?: string): Promise<Answer<SignInOffer>> {
  return api.request({ path: 'sign-in', query: { tenant } });
}

export interface EndpointListQuery extends Record<string, QueryValue> {
  applicationName?: string | undefined;
  applicationVersionName?: string | undefined;
  multiFilter?: string | undefined;
  metadataFilter?: string | undefined;
  filterId?: string | undefined;
  sort?: string | undefined;
  cursor?: string | undefined;
  limit: number;
  include?: string | undefined;
}

export function listApplications(api: Api, signal: AbortSignal): Promise<Answer<Page<Application>>> {
  return api.request({ path: 'applications', signal });
}

export function listEndpoints(
  api: Api,
  query: EndpointListQuery,
  signal: AbortSignal,
): Promise<Answer<Page<Endpoint>>> {
  return api.request({ path: 'endpoints', query, signal });
}

export function getEndpoint(api: Api, id: string, signal: AbortSignal): Promise<Answer<Endpoint>> {
  return api.request({ path: `endpoints/${part(id)}`, query: { include: 'filters' }, signal });
}

/** The answer carries the ETag that a change names. */
export function getMetadata(api: Api, id: string, signal?: AbortSignal): Promise<Answer<Metadata>> {
  const path = `endpoints/${part(id)}/metadata`;
  return api.request(signal === undefined ? { path } : { path, signal });
}

export interface Registration {
  appVersion: { name: string };
  endpointId?: string;
  endpointToken?: string;
}

export interface Registered {
  endpointId: string;
  token: string;
}

/**
 * @param metadata JSON, sent as it stands: a number keeps its digits, and what stands there twice is refused
 * @param idempotencyKey of this registration: when its answer is lost, the same may be sent again
 */
export function registerEndpoint(
  api: Api,
  registration: Registration,
  metadata: string,
  idempotencyKey: string,
): Promise<Answer<Registered>> {
  const text = `${JSON.stringify(registration).slice(0, -1)},"metadata":${metadata}}`;
  return api.request({ method: 'POST', path: 'endpoints', text, idempotencyKey });
}

export interface Deleted {
  deleted: string[];
  failed: { endpointId: string; code: string; message: string }[];
}

export function deleteEndpoints(api: Api, endpointIds: readonly string[]): Promise<Answer<Deleted>> {
  return api.request({ method: 'POST', path: 'endpoints/delete', body: { endpointIds } });
}

/** @param text JSON, sent as it stands: a number keeps its digits */
export function setKey(
  api: Api,
  id: string,
  key: string,
  text: string,
  ifMatch: string,
): Promise<Answer<JsonValue>> {
  const path = `endpoints/${part(id)}/metadata/${part(key)}`;
  return api.request({ method: 'PUT', path, text, ifMatch });
}

export function removeKey(api: Api, id: string, key: string, ifMatch: string): Promise<Answer<undefined>> {
  return api.request({ method: 'DELETE', path: `endpoints/${part(id)}/metadata/${part(key)}`, ifMatch });
}

function filtersOf(application: string): string {
  return `applications/${part(application)}/filters`;
}

export function listFilters(
  api: Api,
  application: string,
  query: { name?: string | undefined; offset?: number; limit: number },
  signal: AbortSignal,
): Promise<Answer<Page<Filter>>> {
  return api.request({ path: filtersOf(application), query: { ...query }, signal });
}

export function getFilter(
  api: Api,
  application: string,
  id: string,
  signal: AbortSignal,
): Promise<Answer<Filter>> {
  return api.request({ path: `${filtersOf(application)}/${part(id)}`, signal });
}

export interface FilterDraft {
  name: string;
  description: string;
  mongoQuery: JsonValue;
}

export function createFilter(api: Api, application: string, draft: FilterDraft): Promise<Answer<Filter>> {
  return api.request({ method: 'POST', path: filtersOf(application), body: draft });
}

export function changeFilter(
  api: Api,
  application: string,
  id: string,
  draft: Partial<FilterDraft>,
  ifMatch: string | undefined,
): Promise<Answer<Filter>> {
  return api.request({
    method: 'PATCH',
    path: `${filtersOf(application)}/${part(id)}`,
    body: draft,
    contentType: 'application/merge-patch+json',
    ...(ifMatch === undefined ? {} : { ifMatch }),
  });
}

export function deleteFilter(api: Api, application: string, id: string): Promise<Answer<undefined>> {
  return api.request({ method: 'DELETE', path: `${filtersOf(application)}/${part(id)}` });
}

export function previewFilter(
  api: Api,
  application: string,
  mongoQuery: JsonValue,
  signal: AbortSignal,
): Promise<Answer<Preview>> {
  return api.request({
    method: 'POST',
    path: `${filtersOf(application)}/preview`,
    query: { include: 'metadata' },
    body: { mongoQuery, sampleSize: 5 },
    signal,
  });
}

/** `contains`: what it contains; `!contains`: what contains it. */
export type Direction = 'contains' | '!contains';

export function listRelations(
  api: Api,
  id: string,
  relation: Direction,
  limit: number,
  signal: AbortSignal,
): Promise<Answer<Page<{ endpointId: string }>>> {
  return api.request({ path: `endpoints/${part(id)}/relations`, query: { relation, limit }, signal });
}

/** `from` contains `to`, or does so no longer. */
export function changeRelation(
  api: Api,
  change: 'link' | 'unlink',
  from: string,
  to: string,
): Promise<Answer<unknown>> {
  return api.request({ method: 'PUT', path: `relations/${change}`, body: [{ type: 'contains', from, to }] });
}
