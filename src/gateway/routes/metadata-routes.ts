import { type Static, Type } from '@sinclair/typebox';
import { type Refusal, refuse } from '../../model/errors.js';
import type { JsonObject } from '../../model/json.js';
import { MetadataText } from '../../model/metadata-text.js';
import type { Answer, Outcome } from '../../model/outcome.js';
import {
  createdOf,
  etagOf,
  metadataBytesOf,
  metadataOf,
  metadataRevisionOf,
  metadataTextOf,
} from '../../model/record.js';
import { readingCondition } from '../table/entity-tags.js';
import { named } from '../table/described.js';
import { type Reply, type Result, reply, replyJson } from '../table/reply.js';
import { type Call, type Route, type RouteDeps, defineRoute } from '../table/route.js';
import {
  AnyJson,
  EndpointQuery,
  Metadata,
  closedObject,
  endpointParameters,
  wordOf,
} from '../table/schemas.js';
import { commandOf } from './commands.js';
import { replyIncluded } from './included-metadata.js';

const tags = ['Metadata'] as const;
const example = { city: 'Kyiv', temp: 20.5 };
const changeErrors = [
  'endpoint-not-found',
  'invalid-metadata-key',
  'too-many-keys',
  'nested-too-deep',
  'key-restricted',
  'endpoint-too-large',
] as const;

interface Found {
  record: Uint8Array;
  etag: string;
  /** what the request's conditions make of a reading */
  instead: Refusal | Reply | undefined;
}

/** Answers with the record of the path's endpoint: at once, where it is at hand. */
function whenFound(
  call: Call<'endpointId'>,
  deps: RouteDeps,
  answer: (found: Found) => Result | Promise<Result>,
): Result | Promise<Result> {
  const reply = (stored: Answer<Uint8Array>): Result | Promise<Result> => {
    if (stored.kind !== 'ok') return stored;
    const record = stored.value;
    const etag = etagOf(createdOf(record), metadataRevisionOf(record));
    return answer({ record, etag, instead: readingCondition(call, etag) });
  };
  const stored = deps.register.endpoints.get(call.context, call.path.endpointId);
  return stored instanceof Promise ? stored.then(reply) : reply(stored);
}

/** Answers a change with the whole metadata after it. */
function replyMetadata(outcome: Outcome): Result {
  if (outcome.kind === 'refused' || outcome.kind === 'retry') return outcome;
  return replyJson(outcome.metadata ?? '{}', etagOf(outcome.createdMs, outcome.metadataRevision));
}

const get = defineRoute({
  operationId: 'getMetadata',
  method: 'GET',
  path: '/endpoints/{endpointId}/metadata',
  summary: 'Get the metadata of an endpoint',
  description:
    'An answer with inherited values has an ETag of its own, for `If-None-Match`; `If-Match` of a write takes that of the ' +
    "endpoint's own metadata. Of equally near containers the one with the smallest id counts, and only those count " +
    'whose metadata the caller may read.',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: closedObject({
    ...endpointParameters,
    include: Type.Optional(
      Type.Array(Type.String(), {
        description:
          '`inherited`, or keys, or both; comma-separated or repeated. With keys the answer holds only these. Either way, ' +
          'what the endpoint lacks is shown as its nearest container has it, where the application inherits metadata.',
        examples: [['inherited'], ['city,temp']],
      }),
    ),
  }),
  conditional: true,
  responses: { 200: { description: 'The metadata.', schema: Metadata, headers: ['ETag'], example } },
  errors: ['endpoint-not-found', 'too-many-containers'],
  handle: (call, deps) =>
    whenFound(call, deps, (found) =>
      call.query.include === undefined
        ? (found.instead ?? replyJson(metadataBytesOf(found.record), found.etag))
        : replyIncluded(call, call.query.include, found.record, deps),
    ),
});

const put = defineRoute({
  operationId: 'replaceMetadata',
  method: 'PUT',
  path: '/endpoints/{endpointId}/metadata',
  summary: 'Replace the metadata of an endpoint',
  tags,
  access: { scope: 'endpoint:update', on: 'endpoint' },
  query: EndpointQuery,
  body: { as: Metadata, content: { 'application/json': { schema: Metadata, example } }, levelsAbove: 1 },
  conditional: true,
  responses: { 200: { description: 'The new metadata.', schema: Metadata, headers: ['ETag'], example } },
  errors: changeErrors,
  async handle(call, deps) {
    const command = commandOf(call, { type: 'replace-metadata', metadataText: call.text });
    return replyMetadata(await deps.register.endpoints.submit(command));
  },
});

const pointer = Type.String({ pattern: '^(/([^~]|~[01])*)?$', description: 'JSON Pointer (RFC 6901).' });
const JsonPatch = named(
  'JsonPatch',
  Type.Array(
    named(
      'JsonPatchOperation',
      Type.Object(
        {
          op: wordOf('add', 'remove', 'replace', 'move', 'copy', 'test'),
          path: pointer,
          from: Type.Optional(pointer),
          value: Type.Optional(AnyJson),
        },
        { description: 'RFC 6902.' },
      ),
    ),
  ),
);
const MergePatch = named(
  'MergePatch',
  Type.Unsafe<JsonObject>({
    type: 'object',
    description: 'RFC 7396: `null` removes a key.',
  }),
);
const Patch = Type.Unsafe<Static<typeof JsonPatch> | JsonObject>({});

const patch = defineRoute({
  operationId: 'patchMetadata',
  method: 'PATCH',
  path: '/endpoints/{endpointId}/metadata',
  summary: 'Change the metadata of an endpoint by a patch',
  description:
    'JSON Patch (RFC 6902) or JSON Merge Patch (RFC 7396), as the content type says; plain `application/json` is a JSON Patch. All or nothing.',
  tags,
  access: { scope: 'endpoint:update', on: 'endpoint' },
  query: EndpointQuery,
  body: {
    as: Patch,
    content: {
      'application/json-patch+json': {
        schema: JsonPatch,
        example: [{ op: 'add', path: '/city', value: 'Kyiv' }],
      },
      'application/merge-patch+json': { schema: MergePatch, example: { city: 'Kyiv', old: null } },
      'application/json': { schema: JsonPatch, example: [{ op: 'replace', path: '/city', value: 'Kyiv' }] },
    },
    levelsAbove: 3,
  },
  conditional: true,
  responses: { 200: { description: 'The new metadata.', schema: Metadata, headers: ['ETag'], example } },
  errors: [...changeErrors, 'invalid-patch', 'patch-test-failed'],
  async handle(call, deps) {
    const type = call.mediaType === 'application/merge-patch+json' ? 'merge-patch' : 'json-patch';
    return replyMetadata(
      await deps.register.endpoints.submit(commandOf(call, { type, patchText: call.text })),
    );
  },
});

const getKeys = defineRoute({
  operationId: 'getMetadataKeys',
  method: 'GET',
  path: '/endpoints/{endpointId}/metadata-keys',
  summary: 'Get the metadata keys of an endpoint',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: EndpointQuery,
  conditional: true,
  responses: {
    200: {
      description: 'The keys, sorted.',
      schema: Type.Array(Type.String()),
      headers: ['ETag'],
      example: ['city', 'temp'],
    },
  },
  errors: ['endpoint-not-found'],
  handle: (call, deps) =>
    whenFound(
      call,
      deps,
      ({ record, etag, instead }) =>
        instead ?? replyJson(JSON.stringify(Object.keys(metadataOf(record)).sort()), etag),
    ),
});

const getKey = defineRoute({
  operationId: 'getMetadataKey',
  method: 'GET',
  path: '/endpoints/{endpointId}/metadata/{key}',
  summary: 'Get one metadata value',
  tags,
  access: { scope: 'endpoint:read', on: 'endpoint' },
  query: EndpointQuery,
  conditional: true,
  responses: { 200: { description: 'The value.', schema: AnyJson, headers: ['ETag'], example: 'Kyiv' } },
  errors: ['endpoint-not-found', 'metadata-key-not-found'],
  handle: (call, deps) =>
    whenFound(call, deps, ({ record, etag, instead }) => {
      const { key } = call.path;
      const value = new MetadataText(metadataTextOf(record)).valueText(key);
      if (value === undefined) {
        return refuse('metadata-key-not-found', `The endpoint has no metadata key "${key.slice(0, 200)}".`);
      }
      return instead ?? replyJson(value, etag);
    }),
});

/** The hottest route: the body goes on as text. */
const putKey = defineRoute({
  operationId: 'setMetadataKey',
  method: 'PUT',
  path: '/endpoints/{endpointId}/metadata/{key}',
  summary: 'Set one metadata value',
  description: 'The body is the value: any JSON, `null` too.',
  tags,
  access: { scope: 'endpoint:update', on: 'endpoint' },
  query: EndpointQuery,
  body: {
    as: AnyJson,
    content: { 'application/json': { schema: AnyJson, example: 'Kyiv', unchecked: true } },
    levelsAbove: 0,
  },
  conditional: true,
  responses: { 200: { description: 'The value.', schema: AnyJson, headers: ['ETag'], example: 'Kyiv' } },
  errors: changeErrors,
  async handle(call, deps) {
    const command = commandOf(call, { type: 'set-key', key: call.path.key, valueText: call.text });
    const outcome = await deps.register.endpoints.submit(command);
    if (outcome.kind === 'refused' || outcome.kind === 'retry') return outcome;
    // a value that was there already stays as it is stored, in the order of its keys too
    const { metadata } = outcome;
    const value =
      metadata === undefined
        ? call.body
        : (JSON.parse(Buffer.from(metadata).toString()) as JsonObject)[call.path.key];
    return replyJson(JSON.stringify(value), etagOf(outcome.createdMs, outcome.metadataRevision));
  },
});

const deleteKey = defineRoute({
  operationId: 'deleteMetadataKey',
  method: 'DELETE',
  path: '/endpoints/{endpointId}/metadata/{key}',
  summary: 'Remove one metadata key',
  tags,
  access: { scope: 'endpoint:update', on: 'endpoint' },
  query: EndpointQuery,
  conditional: true,
  responses: { 204: { description: 'Removed.', headers: ['ETag'] } },
  errors: ['endpoint-not-found', 'metadata-key-not-found', 'key-restricted'],
  async handle(call, deps) {
    const outcome = await deps.register.endpoints.submit(
      commandOf(call, { type: 'delete-key', key: call.path.key }),
    );
    if (outcome.kind === 'refused' || outcome.kind === 'retry') return outcome;
    return { ...reply(204), etag: etagOf(outcome.createdMs, outcome.metadataRevision) };
  },
});

export const metadataRoutes: readonly Route[] = [get, put, patch, getKeys, getKey, putKey, deleteKey];
