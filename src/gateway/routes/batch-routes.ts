import { applicationOf } from '../authorization.js';
import { Type } from '@sinclair/typebox';
import { refuse } from '../../model/errors.js';
import type { JsonValue } from '../../model/json.js';
import type { BatchItem } from '../../register/index.js';
import { applyMetadataItems } from '../streams/metadata-items.js';
import { streamMetadataLines } from '../streams/metadata-lines.js';
import { documented, named } from '../table/described.js';
import { NOT_STORED, reply, replyJson } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import {
  Code,
  EndpointId,
  EndpointQuery,
  EndpointToken,
  FaultDetails,
  Metadata,
  VersionName,
  closedObject,
} from '../table/schemas.js';

const tags = ['Batches'] as const;

const Batch = named(
  'EndpointBatch',
  closedObject({
    appVersion: VersionName,
    endpoints: documented(
      Type.Array(
        closedObject({
          endpointToken: Type.Optional(EndpointToken),
          endpointId: Type.Optional(EndpointId),
          metadata: Type.Optional(Metadata),
        }),
        { minItems: 1 },
      ),
      ({ batchItems }) => ({ maxItems: batchItems }),
    ),
  }),
);

const Status = named(
  'BatchStatus',
  closedObject({
    createdCount: Type.Integer(),
    failedCount: Type.Integer(),
    created: Type.Array(
      closedObject({ endpointToken: Type.String(), endpointId: Type.String(), metadata: Metadata }),
    ),
    failed: Type.Array(
      closedObject({
        endpointToken: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
        endpointId: Type.Unsafe<string | null>({
          type: ['string', 'null'],
          description: 'null when the item named none.',
        }),
        metadata: Type.String({ description: 'JSON text.' }),
        status: Type.Literal('FAILED'),
        code: Code,
        statusReason: Type.String(),
      }),
    ),
  }),
);

const Accepted = named('BatchAccepted', closedObject({ taskId: Type.String() }));
const taskId = '0b9c1f7e-5f0e-4b7e-8a39-3f9b7a4c2d11';

const start = defineRoute({
  operationId: 'startBatch',
  method: 'POST',
  path: '/endpoints/batch',
  summary: 'Register many endpoints',
  description:
    'Accepted and stored: a restart finishes it. `Location` is where its status is. While the storage, credential ' +
    'management where that issues tokens, or the auth server where endpoints have resources there, is away, it waits.',
  tags,
  access: {
    scope: 'application:endpoint:create',
    on: (call, register) => applicationOf(call, register, call.body.appVersion.name),
    resource: 'application-<the one of appVersion>',
  },
  query: EndpointQuery,
  body: {
    as: Batch,
    content: {
      'application/json': {
        schema: Batch,
        example: {
          appVersion: { name: 'demo-v1' },
          endpoints: [{ endpointId: 'kitchen' }, { endpointId: 'kettle-2', metadata: { city: 'Kyiv' } }],
        },
      },
    },
    levelsAbove: 4,
  },
  idempotent: true,
  responses: {
    202: {
      description: 'Accepted.',
      schema: Accepted,
      example: { taskId },
      headers: ['Location'],
    },
  },
  errors: ['application-version-not-found'],
  async handle(call, deps) {
    const { appVersion, endpoints } = call.body;
    const { batchItems } = deps.limits();
    if (endpoints.length > batchItems) {
      const message = `must have 1 to ${batchItems} items; found ${endpoints.length}.`;
      return refuse('invalid-body', `"endpoints" ${message} Send more in further batches.`, [
        { path: '/endpoints', message },
      ]);
    }
    const batch = { versionName: appVersion.name, endpoints: endpoints as BatchItem[] };
    const answer = await deps.register.batches.start(call.context, batch);
    if (answer.kind !== 'ok') return answer;
    const { taskId, application } = answer.value;
    const query = new URLSearchParams({ appName: application, taskId }).toString();
    return { ...reply(202, { taskId }), location: `/endpoints/batch/status?${query}` };
  },
});

const status = defineRoute({
  operationId: 'getBatchStatus',
  method: 'GET',
  path: '/endpoints/batch/status',
  summary: 'Get the status of a batch',
  description:
    'It is complete when createdCount and failedCount together are what was sent; kept for 24 h (configuration).',
  tags,
  access: {
    scope: 'application:endpoint:create',
    on: (call) => call.query.appName,
    resource: 'application-{appName}',
  },
  query: closedObject({
    appName: Type.String({ description: 'Application of the batch.', examples: ['demo'] }),
    taskId: Type.String({ description: 'Of the answer that accepted the batch.', examples: [taskId] }),
    ...EndpointQuery.properties,
  }),
  responses: {
    200: {
      description: 'The status.',
      schema: Status,
      example: {
        createdCount: 2,
        failedCount: 0,
        created: [
          { endpointToken: 'Yb2kTq8wVdJ5rCfA0eNs', endpointId: 'kitchen', metadata: {} },
          { endpointToken: 'sLn4UNjbGqYZ0mXWpR7k', endpointId: 'kettle-2', metadata: { city: 'Kyiv' } },
        ],
        failed: [],
      },
    },
  },
  errors: ['application-not-found', 'task-not-found'],
  async handle(call, deps) {
    const answer = await deps.register.batches.status(call.context, call.query.appName, call.query.taskId);
    // the tokens of the endpoints are in it
    return answer.kind === 'ok' ? { ...reply(200, answer.value), headers: NOT_STORED } : answer;
  },
});

const MetadataItem = named(
  'MetadataItem',
  closedObject(
    {
      endpointId: EndpointId,
      set: Type.Optional(Metadata),
      unset: Type.Optional(Type.Array(Type.String(), { description: 'Keys to remove.' })),
      ifMatch: Type.Optional(Type.String({ description: 'As the header `If-Match`.' })),
    },
    { description: 'At least one of `set` and `unset`.' },
  ),
);
const MetadataItems = documented(Type.Array(MetadataItem), ({ metadataBatchItems }) => ({
  maxItems: metadataBatchItems,
}));
const ItemResult = named(
  'MetadataItemResult',
  closedObject({
    endpointId: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'null when the item names none.',
    }),
    line: Type.Optional(
      Type.Integer({ description: 'NDJSON: number of the line, from 1, when it names no endpoint.' }),
    ),
    status: Type.Integer({ description: 'What a single request would have got.' }),
    etag: Type.Optional(Type.String()),
    code: Type.Optional(Code),
    message: Type.Optional(Type.String()),
    details: Type.Optional(FaultDetails),
  }),
);
const ndjson = (description: string) =>
  Type.String({ contentMediaType: 'application/x-ndjson', description });
const resultExample = { endpointId: 'kettle-1', status: 200, etag: '"lq3k-2"' };
const itemExample = { endpointId: 'kettle-1', set: { temp: 21 }, unset: ['old'] };

const metadataBatch = defineRoute({
  operationId: 'changeMetadataBatch',
  method: 'POST',
  path: '/endpoints/metadata/batch',
  summary: 'Change the metadata of many endpoints',
  description:
    'One result per item, in order; items that name one endpoint twice take effect in order; a bad item fails alone. ' +
    'As `application/x-ndjson` the request may be of any length: one item a line (at most 1 MiB), one result line per line, ' +
    'sent while the request is still being read. A client must read while it sends: the service stops reading when results ' +
    'are not taken, and closes the connection when none are for a minute. The request may come slowly and with pauses; when ' +
    'nothing of it comes for five minutes, the connection is closed. White space may come before a result. The last line may lack its line feed. A line that is not an item, be it blank, ' +
    'gets a result with `endpointId` null and its number from 1 as `line` (or with the id, where it has one), and the rest goes on. ' +
    'A service that stops ends the answer, be the request at its end or not: its last line then has `endpointId` null and the ' +
    'code `stopping`, belongs to no line of the request, and says that lines without a result before it were not read.',
  tags,
  access: { scope: 'endpoint:update', on: 'each' },
  query: EndpointQuery,
  body: {
    as: Type.Unsafe<JsonValue>({}),
    content: {
      'application/json': { schema: MetadataItems, example: [itemExample], unchecked: true },
      'application/x-ndjson': {
        schema: ndjson('One item a line, at most 1 MiB each.'),
        itemSchema: MetadataItem,
        example: `${JSON.stringify(itemExample)}\n`,
        streamed: true,
      },
    },
    levelsAbove: 3,
  },
  idempotent: true,
  responses: {
    200: {
      description: 'One result per item. For `application/x-ndjson`: one a line.',
      schema: Type.Array(ItemResult),
      example: [resultExample],
      also: {
        'application/x-ndjson': {
          schema: ndjson('One result a line.'),
          itemSchema: ItemResult,
          example: `${JSON.stringify(resultExample)}\n`,
        },
      },
    },
  },
  errors: ['endpoint-not-found', 'precondition-failed', 'key-restricted', 'endpoint-too-large'],
  async handle(call, deps) {
    if (call.stream !== undefined) return streamMetadataLines(call, call.stream, deps);
    const { metadataBatchItems } = deps.limits();
    if (!Array.isArray(call.body)) {
      return refuse(
        'invalid-body',
        'The body must be an array of items {endpointId, set?, unset?, ifMatch?}.',
        [{ path: '', message: 'must be an array.' }],
      );
    }
    if (call.body.length > metadataBatchItems) {
      const message = `The batch has ${call.body.length} items; at most ${metadataBatchItems} are allowed. Send fewer at a time, or application/x-ndjson, which has no such limit.`;
      return refuse('invalid-body', message, [{ path: '', message }]);
    }
    const results = await applyMetadataItems(call, call.body, deps);
    return { ...replyJson(`[${results.texts.join(',')}]`), isFinal: results.areFinal };
  },
});

export const batchRoutes: readonly Route[] = [start, status, metadataBatch];
