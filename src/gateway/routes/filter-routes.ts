import { type Static, Type } from '@sinclair/typebox';
import { isJsonObject, type JsonValue } from '../../model/json.js';
import type { FilterView } from '../../register/index.js';
import { readingCondition } from '../table/entity-tags.js';
import { named } from '../table/described.js';
import { readLimit, readOffset } from '../table/paging.js';
import { type Result, reply } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import { IsoDate, closedObject, pageOf, pageParameters, wordOf } from '../table/schemas.js';
import { previewFilter } from './filter-preview.js';
import { MongoQuery, QUERY_LEVELS, QueryObject } from './filter-schemas.js';

const tags = ['Filters'] as const;

const Name = Type.String({ minLength: 1, maxLength: 256 });
const Description = Type.String({ maxLength: 4096 });

const Draft = named(
  'FilterDraft',
  closedObject({ name: Name, description: Type.Optional(Description), mongoQuery: MongoQuery }),
);
const Change = named('FilterChange', Type.Partial(Draft));

const Filter = named(
  'Filter',
  closedObject({
    id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    mongoQuery: QueryObject,
    status: wordOf('pending', 'active'),
    matchedEndpointsCount: Type.Integer({ description: 'Exact when the filter is active.' }),
    createdDate: IsoDate,
    updatedDate: IsoDate,
    fault: Type.Optional(
      Type.String({
        description:
          'Why the query, which another version of the register saved, can not be read. Such a filter stays pending until its query is changed.',
      }),
    ),
    progress: Type.Optional(
      Type.Object(
        {
          evaluated: Type.Integer(),
          total: Type.Integer(),
          state: Type.Union([Type.Literal('waiting'), Type.Literal('evaluating')], {
            description: '`waiting`: its evaluation begins with the next step of the one under way.',
          }),
          secondsLeft: Type.Optional(
            Type.Integer({
              description: 'At the speed of the last seconds; absent while that is not known.',
            }),
          ),
        },
        { description: 'Of a pending filter: endpoints evaluated so far, of how many.' },
      ),
    ),
  }),
);

const example = {
  id: '2f1c5b1e-7c1c-4a5e-9d2b-0f6f1d0f9a11',
  name: 'Hot kettles',
  description: '',
  mongoQuery: { metadata: { $elemMatch: { key: 'temp', value: { $gt: 90 } } } },
  status: 'active',
  matchedEndpointsCount: 3,
  createdDate: '2017-03-17T11:30:02.643Z',
  updatedDate: '2017-03-17T11:30:02.643Z',
};
const changeExample = { name: 'Very hot kettles' };
const draftExample = { name: example.name, description: '', mongoQuery: example.mongoQuery };

function viewOf({ filter, matchedEndpointsCount, progress, fault }: FilterView) {
  const view = {
    id: filter.id,
    name: filter.name,
    description: filter.description,
    mongoQuery: queryOf(filter.queryText),
    status: filter.status,
    matchedEndpointsCount,
    createdDate: new Date(filter.createdMs).toISOString(),
    updatedDate: new Date(filter.updatedMs).toISOString(),
  };
  return {
    ...view,
    ...(progress === undefined ? {} : { progress }),
    ...(fault === undefined ? {} : { fault }),
  };
}

/** Of a damaged one, nothing is shown: its fault says so. */
function queryOf(queryText: string): object {
  try {
    const query = JSON.parse(queryText) as JsonValue;
    return isJsonObject(query) ? query : {};
  } catch {
    return {};
  }
}

function replyFilter(status: number, filter: FilterView): Result {
  return { ...reply(status, viewOf(filter)), etag: filter.etag };
}

const list = defineRoute({
  operationId: 'listFilters',
  method: 'GET',
  path: '/applications/{app}/filters',
  summary: 'List the filters of an application',
  tags,
  access: { scope: 'application:endpoint-filter:read', on: 'application' },
  query: closedObject({
    name: Type.Optional(
      Type.String({
        description: 'Only filters whose name contains this, whatever the case.',
        examples: ['hot'],
      }),
    ),
    ...pageParameters,
  }),
  responses: {
    200: {
      description: 'A page of filters, by name.',
      schema: pageOf('FilterPage', Filter, false),
      example: { totalElements: 1, content: [example] },
    },
  },
  errors: ['application-not-found'],
  async handle(call, deps) {
    const limit = readLimit(call.query.limit, deps.limits());
    if (typeof limit !== 'number') return limit;
    const page = { offset: readOffset(call.query.offset), limit };
    const { name } = call.query;
    const answer = await deps.register.filters.list(
      call.context,
      call.path.app,
      name === undefined ? page : { ...page, name },
    );
    if (answer.kind !== 'ok') return answer;
    return reply(200, { totalElements: answer.value.total, content: answer.value.filters.map(viewOf) });
  },
});

const create = defineRoute({
  operationId: 'createFilter',
  method: 'POST',
  path: '/applications/{app}/filters',
  summary: 'Save a filter',
  description:
    'It is pending until every endpoint of the application has been evaluated against it, then active.',
  tags,
  access: { scope: 'application:endpoint-filter:create', on: 'application' },
  body: {
    as: Draft,
    content: { 'application/json': { schema: Draft, example: draftExample } },
    levelsAbove: QUERY_LEVELS,
  },
  idempotent: true,
  responses: {
    201: {
      description: 'Saved.',
      schema: Filter,
      headers: ['ETag', 'Location'],
      example: { ...example, status: 'pending' },
    },
  },
  errors: ['application-not-found', 'invalid-query', 'filter-name-taken', 'too-many-filters'],
  async handle(call, deps) {
    const { name, description = '', mongoQuery } = call.body;
    const answer = await deps.register.filters.create(call.context, call.path.app, {
      name,
      description,
      mongoQuery,
    });
    if (answer.kind !== 'ok') return answer;
    const location = `/applications/${call.path.app}/filters/${answer.value.filter.id}`;
    return { ...reply(201, viewOf(answer.value)), etag: answer.value.etag, location };
  },
});

const get = defineRoute({
  operationId: 'getFilter',
  method: 'GET',
  path: '/applications/{app}/filters/{id}',
  summary: 'Get a filter',
  tags,
  access: { scope: 'application:endpoint-filter:read', on: 'application' },
  conditional: true,
  responses: { 200: { description: 'The filter.', schema: Filter, headers: ['ETag'], example } },
  errors: ['application-not-found', 'filter-not-found'],
  async handle(call, deps) {
    const answer = await deps.register.filters.get(call.context, call.path.app, call.path.id);
    if (answer.kind !== 'ok') return answer;
    return readingCondition(call, answer.value.etag) ?? replyFilter(200, answer.value);
  },
});

const change = defineRoute({
  operationId: 'changeFilter',
  method: 'PATCH',
  path: '/applications/{app}/filters/{id}',
  summary: 'Change a filter',
  description: 'Only what is named changes. A new query makes the filter pending again.',
  tags,
  access: { scope: 'application:endpoint-filter:update', on: 'application' },
  body: {
    as: Change,
    content: {
      'application/json': { schema: Change, example: changeExample },
      'application/merge-patch+json': { schema: Change, example: changeExample },
    },
    levelsAbove: QUERY_LEVELS,
  },
  conditional: true,
  responses: {
    200: {
      description: 'The filter.',
      schema: Filter,
      headers: ['ETag'],
      example: { ...example, ...changeExample, updatedDate: '2017-03-17T11:42:10.005Z' },
    },
  },
  errors: ['application-not-found', 'filter-not-found', 'invalid-query', 'filter-name-taken'],
  async handle(call, deps) {
    const wanted: Partial<Static<typeof Change>> = call.body;
    const answer = await deps.register.filters.change(
      call.context,
      call.path.app,
      call.path.id,
      wanted,
      call.ifMatch,
    );
    return answer.kind === 'ok' ? replyFilter(200, answer.value) : answer;
  },
});

const remove = defineRoute({
  operationId: 'deleteFilter',
  method: 'DELETE',
  path: '/applications/{app}/filters/{id}',
  summary: 'Delete a filter',
  tags,
  access: { scope: 'application:endpoint-filter:delete', on: 'application' },
  conditional: true,
  responses: { 204: { description: 'Deleted.' } },
  errors: ['application-not-found', 'filter-not-found'],
  async handle(call, deps) {
    const answer = await deps.register.filters.remove(
      call.context,
      call.path.app,
      call.path.id,
      call.ifMatch,
    );
    return answer.kind === 'ok' ? reply(204) : answer;
  },
});

export const filterRoutes: readonly Route[] = [list, create, previewFilter, get, change, remove];
