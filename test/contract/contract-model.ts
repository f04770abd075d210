import type { Operation } from 'fast-json-patch';
import { isJsonObject, type JsonObject } from '../../src/model/json.js';
import { ANYTHING, madeDate } from './made-values.js';
import { jsonPatch, mergePatch } from './oracles.js';
import * as relations from './relation-rules.js';
import * as rules from './rules.js';
import {
  type Answer,
  Fault,
  type Item,
  NO_APPLICATION,
  NO_KEY,
  NO_VERSION,
  ok,
  type Request,
} from './rules.js';
import { select, type Wanted } from './selection.js';
import type { State } from './state.js';

type Named = { appVersion: { name: string } };
type Preview = { mongoQuery: JsonObject; sampleSize?: number };
/** A row says what its own body is. */
type Row = (state: State, request: Request<never>) => Answer;

/**
 * The REST contract once more, a row for each operation of its table, to be compared with it by eye. The service's word is
 * taken only for values that it makes, and for which one of several faults is answered.
 */
export const CONTRACT: Record<string, Row> = {
  'POST /endpoints': (state, { body, made }: Request<Named & Item>) => {
    const registered = rules.register(state, body.appVersion.name, body, made.ids[0], made.tokens[0]);
    if (registered instanceof Fault) return registered;
    const { endpointId, token } = registered;
    return { status: 201, body: { token, status: 'Inactive', endpointId } };
  },
  'GET /endpoints': (state, { query }) => rules.list(state, query),
  'POST /endpoints/search': (state, { body }: Request<Wanted>) => rules.list(state, body),
  'POST /endpoints/delete': (state, { body }: Request<{ endpointIds: string[] }>) => {
    const ids = [...new Set(body.endpointIds)];
    const deleted = ids.filter((id) => state.endpoints.has(id));
    const failed = ids.filter((id) => !state.endpoints.has(id));
    if (deleted.some((from) => deleted.some((to) => state.relations.has(`${from}>${to}`))))
      state.relationEvents = undefined;
    for (const id of deleted) state.replace(state.endpoints.get(id), undefined, 'unregistered');
    const why = { code: 'endpoint-not-found', message: ANYTHING };
    return ok({ deleted, failed: failed.map((endpointId) => ({ endpointId, ...why })) });
  },
  // its status, once it is complete
  'POST /endpoints/batch': (state, { body, made }: Request<Named & { endpoints: Item[] }>) => {
    const version = body.appVersion.name;
    return version in state.world.versions
      ? rules.registerBatch(state, version, body.endpoints, made)
      : NO_VERSION;
  },
  'POST /endpoints/metadata/batch': (state, { body }: Request<rules.Change[]>) =>
    ok(body.map((item) => rules.changeItem(state, item))),
  'GET /endpoints/{endpointId}': (state, request) =>
    rules.read(state, request, (endpoint) => ok(rules.viewOf(state, endpoint, request.query.include))),
  'DELETE /endpoints/{endpointId}': (state, request) =>
    rules.read(state, request, (endpoint) => {
      state.replace(endpoint, undefined, 'unregistered');
      return { status: 204 };
    }),
  'GET /endpoints/{endpointId}/app-version': (state, request) =>
    rules.read(state, request, (endpoint) => ok(rules.versionOf(endpoint))),
  'PUT /endpoints/{endpointId}/app-version': (state, request: Request<{ name: string }>) => {
    const { name } = request.body;
    if (!(name in state.world.versions)) return NO_VERSION;
    return rules.read(state, request, (endpoint) => {
      if (state.world.versions[name] !== endpoint.application) return new Fault(409, 'other-application');
      if (name === endpoint.version) return ok(rules.versionOf(endpoint));
      const after = { ...endpoint, version: name, versionSince: madeDate() };
      state.replace(endpoint, after, 'appversion-updated');
      return ok(rules.versionOf(after));
    });
  },
  'GET /endpoints/{endpointId}/metadata': (state, request) =>
    rules.read(state, { endpointId: request.endpointId }, (endpoint) => {
      const words = rules.listOf(request.query.include);
      const keys = words.filter((word) => word !== 'inherited');
      const only = (metadata: JsonObject) => (keys.length === 0 ? metadata : rules.only(metadata, keys));
      const above = words.length === 0 ? {} : only(relations.inherited(state, endpoint));
      const shown = { ...only(endpoint.metadata), ...above };
      const isOwn = Object.keys(above).length === 0;
      const tag = isOwn ? endpoint.tag : relations.tagOf(state, endpoint, shown);
      return rules.unfulfilled(state, tag, request) ?? ok(shown, tag);
    }),
  'PUT /endpoints/{endpointId}/metadata': (state, request: Request<JsonObject>) =>
    rules.change(state, request, () => request.body),
  'PATCH /endpoints/{endpointId}/metadata': (state, request: Request<Operation[] | JsonObject>) =>
    rules.change(state, request, (metadata) => {
      if (!Array.isArray(request.body)) return mergePatch(metadata, request.body) as JsonObject;
      const patched = jsonPatch(metadata, request.body);
      if (patched === 'test-failed') return new Fault(409, 'patch-test-failed');
      const isDone = patched !== 'impossible' && isJsonObject(patched.value);
      return isDone ? (patched.value as JsonObject) : new Fault(400, 'invalid-patch');
    }),
  'GET /endpoints/{endpointId}/metadata/{key}': (state, request) => {
    const { metadata } = state.endpoints.get(request.endpointId) ?? {};
    if (metadata !== undefined && !Object.hasOwn(metadata, request.key)) return NO_KEY;
    return rules.read(state, request, ({ metadata, tag }) => ok(metadata[request.key], tag));
  },
  'PUT /endpoints/{endpointId}/metadata/{key}': (state, request: Request) => {
    const changed = rules.change(state, request, (metadata) => ({
      ...metadata,
      [request.key]: request.body,
    }));
    return changed instanceof Fault ? changed : { ...changed, body: request.body };
  },
  'DELETE /endpoints/{endpointId}/metadata/{key}': (state, request) => {
    const changed = rules.change(state, request, (metadata) =>
      Object.hasOwn(metadata, request.key) ? rules.without(metadata, [request.key]) : NO_KEY,
    );
    return changed instanceof Fault ? changed : { status: 204, etag: changed.etag! };
  },
  'GET /endpoints/{endpointId}/metadata-keys': (state, request) =>
    rules.read(state, request, ({ metadata, tag }) => ok(Object.keys(metadata).sort(), tag)),
  'GET /endpoints/{endpointId}/relations': (state, request: Request) =>
    rules.read(state, request, ({ endpointId }) => {
      const { relation = '', ...page } = request.query;
      const ids = relations.relatedTo(state.relations, endpointId, relation);
      return rules.list(state, { ...page, endpointIds: ids }, ({ endpointId }) => ({ endpointId }));
    }),
  'PUT /relations/link': (state, { body }: Request<relations.Link[]>) =>
    relations.changeRelations(state, 'link', body),
  'PUT /relations/unlink': (state, { body }: Request<relations.Link[]>) =>
    relations.changeRelations(state, 'unlink', body),
  'GET /applications/{app}/metadata-keys': (state, { app }) =>
    rules.isKnown(state, app) ? ok(rules.keysByVersion(state, app)) : NO_APPLICATION,
  'GET /applications/{app}/filters': (state, { app, query }) =>
    rules.isKnown(state, app) ? rules.listFilters(state, app, query) : NO_APPLICATION,
  'POST /applications/{app}/filters': (state, { app, body, made }: Request<rules.Draft>) =>
    rules.isKnown(state, app) ? rules.createFilter(state, app, made.ids[0]!, body) : NO_APPLICATION,
  'GET /applications/{app}/filters/{id}': (state, request) =>
    rules.readFilter(state, request, (filter) => ok(rules.viewOfFilter(state, filter), filter.tag)),
  'PATCH /applications/{app}/filters/{id}': (state, request: Request<Partial<rules.Draft>>) =>
    rules.readFilter(state, request, (filter) => rules.changeFilter(state, filter, request.body)),
  'DELETE /applications/{app}/filters/{id}': (state, request) =>
    rules.readFilter(state, request, ({ id }) => {
      state.filters.delete(id);
      state.happened(id, 'filter-deleted');
      return { status: 204 };
    }),
  'POST /applications/{app}/filters/preview': (state, { app, body }: Request<Preview>) => {
    if (!rules.isKnown(state, app)) return NO_APPLICATION;
    const found = select(state, { applicationName: app, query: body.mongoQuery });
    const sample = found.slice(0, body.sampleSize ?? 10).map((endpoint) => rules.viewOf(state, endpoint));
    return ok({ matchedEndpointsCount: found.length, sample, explain: ANYTHING });
  },
};
