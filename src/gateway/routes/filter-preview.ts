import { Type } from '@sinclair/typebox';
import { ok } from '../../model/outcome.js';
import type { FilterPreview } from '../../register/index.js';
import { named } from '../table/described.js';
import { defineRoute } from '../table/route.js';
import { Endpoint, closedObject, include } from '../table/schemas.js';
import { readableIds } from '../authorization.js';
import { endpointExample, endpointJson, type Included, readInclude } from './endpoint-views.js';
import { MongoQuery, QUERY_LEVELS, QueryObject } from './filter-schemas.js';

const DEFAULT_SAMPLE = 10;
const MAX_SAMPLE = 100;

const Wanted = named(
  'FilterPreviewRequest',
  closedObject({
    mongoQuery: MongoQuery,
    sampleSize: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_SAMPLE,
        description: `Endpoints in the sample, at most; ${DEFAULT_SAMPLE} when it is not said.`,
      }),
    ),
  }),
);

function orNull(description: string) {
  return Type.Unsafe<number | null>({ type: ['integer', 'null'], description });
}

const Explain = named(
  'FilterExplanation',
  closedObject({
    endpoints: Type.Integer({ description: 'How many endpoints the application has.' }),
    read: Type.Object(
      {
        by: Type.Unsafe<string[] | null>({
          type: ['array', 'null'],
          items: { type: 'string' },
          description: 'Lists and indexes along which those that match were found.',
        }),
        records: orNull('Endpoints that were read.'),
        entries: orNull('Entries of lists and indexes that were read or counted, also for the conditions.'),
      },
      {
        additionalProperties: false,
        description: 'How they were found; null: the storage does not tell.',
      },
    ),
    conditions: Type.Array(
      closedObject({
        path: Type.String({ description: 'JSON pointer into `mongoQuery`.' }),
        condition: QueryObject,
        letsThrough: Type.Integer({
          description:
            'How many endpoints of the application fulfil the condition by itself, `$nor` around it or not.',
        }),
        selectivity: Type.Unsafe<number | null>({
          type: ['number', 'null'],
          description: 'That as a share of all, 0 to 1; null when there are none.',
        }),
        index: Type.Unsafe<string | null>({
          type: ['string', 'null'],
          description:
            'By which index it was counted; null: it was evaluated on each endpoint of the application.',
        }),
      }),
      { description: 'Those that `$and`, `$or` and `$nor` join, in their order; the first 100.' },
    ),
    omittedConditions: Type.Integer({ description: 'Conditions beyond the first 100.' }),
    dependsOn: Type.Object(
      {
        metadataKeys: Type.Unsafe<string[] | null>({
          type: ['array', 'null'],
          items: { type: 'string' },
          description: 'null: any key.',
        }),
        applicationVersion: Type.Boolean(),
      },
      {
        description:
          'Once it is saved and active, an update that changes none of these does not evaluate the filter.',
      },
    ),
    hints: Type.Array(
      closedObject({
        path: Type.String({ description: 'JSON pointer into `mongoQuery`.' }),
        message: Type.String({ description: 'What is missing, and what to write.' }),
      }),
      {
        description:
          'Where the query asks for a field that no endpoint has, such as `{"temp": 3}` for a metadata key: it counts as missing. At most 20.',
      },
    ),
  }),
);

const Preview = named(
  'FilterPreview',
  closedObject({
    matchedEndpointsCount: Type.Integer({ minimum: 0 }),
    sample: Type.Array(Endpoint),
    explain: Explain,
  }),
);

const condition = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 90 } } } };

export const previewFilter = defineRoute({
  operationId: 'previewFilter',
  method: 'POST',
  path: '/applications/{app}/filters/preview',
  summary: 'See what a query would match',
  description:
    'Nothing is saved. The count is exact, and `explain` says what each condition lets through. Conditions that an index of the storage tells ' +
    'are counted from it; for others every endpoint of the application is read once. Counted and shown are endpoints that the caller may read; the sample holds the newest that match.',
  tags: ['Filters'],
  access: { scope: 'application:endpoint-filter:read', on: 'application' },
  query: closedObject({ include }),
  body: {
    as: Wanted,
    content: { 'application/json': { schema: Wanted, example: { mongoQuery: condition, sampleSize: 1 } } },
    levelsAbove: QUERY_LEVELS,
  },
  responses: {
    200: {
      description: 'What it would match.',
      schema: Preview,
      example: {
        matchedEndpointsCount: 3,
        sample: [endpointExample],
        explain: {
          endpoints: 12,
          read: { by: ['values:temp'], records: 3, entries: 6 },
          conditions: [
            { path: '/metadata', condition, letsThrough: 3, selectivity: 0.25, index: 'values:temp' },
          ],
          omittedConditions: 0,
          dependsOn: { metadataKeys: ['temp'], applicationVersion: false },
          hints: [],
        },
      },
    },
  },
  errors: ['application-not-found', 'invalid-query'],
  async handle(call, deps) {
    const included = readInclude(call.query.include);
    if ('kind' in included) return included;
    const { mongoQuery, sampleSize = DEFAULT_SAMPLE } = call.body;
    const among = await readableIds(call, deps);
    if (among !== undefined && 'kind' in among) return among;
    const answer = await deps.register.filters.preview(call.context, call.path.app, {
      mongoQuery,
      sampleSize,
      ...(among === undefined ? {} : { among }),
    });
    if (answer.kind !== 'ok') return answer;
    const { sample } = answer.value;
    const filters = included.filters ? await deps.register.endpoints.filterIds(sample) : ok([]);
    if (filters.kind !== 'ok') return filters;
    return {
      kind: 'reply',
      status: 200,
      parts: previewParts(answer.value, included, filters.value),
    };
  },
});

/** As JSON, an endpoint a part: with their metadata, a hundred may be large. */
function* previewParts(
  { matchedEndpointsCount, sample, explain }: FilterPreview,
  included: Included,
  filters: readonly (readonly string[])[],
): Generator<Uint8Array, void> {
  const { endpoints, read, conditions, omittedConditions, dependsOn, hints } = explain;
  yield Buffer.from(`{"matchedEndpointsCount":${matchedEndpointsCount},"sample":[`);
  for (let i = 0; i < sample.length; i++) {
    const json = endpointJson(sample[i]!, included, filters[i] ?? []);
    yield i === 0 ? json : Buffer.concat([Buffer.from(','), json]);
  }
  const shown: typeof Explain.static = {
    endpoints,
    read,
    conditions,
    omittedConditions,
    dependsOn,
    hints,
  };
  yield Buffer.from(`],"explain":${JSON.stringify(shown)}}`);
}
