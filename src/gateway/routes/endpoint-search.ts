import { Type } from '@sinclair/typebox';
import { type Refusal, refuse } from '../../model/errors.js';
import type { JsonObject } from '../../model/json.js';
import { defineRoute } from '../table/route.js';
import { documented, named } from '../table/described.js';
import { EndpointQuery, closedObject } from '../table/schemas.js';
import { answerPage, inBody, pageErrors, readWanted, type Wanted } from './endpoint-pages.js';
import { EndpointPage, endpointExample, readInclude } from './endpoint-views.js';
import { MongoQuery, QUERY_LEVELS } from './filter-schemas.js';

const tags = ['Endpoints'] as const;

const texts = (description: string) =>
  Type.Unsafe<string | string[]>({
    type: ['array', 'string'],
    items: { type: 'string' },
    maxItems: 10_000,
    description,
  });

const Search = named(
  'EndpointSearch',
  Type.Partial(
    closedObject({
      endpointIds: texts('Only these endpoints, at most 10000; with `regex`, one pattern.'),
      endpointId: texts('As `endpointIds`; give one of the two.'),
      applicationName: Type.String({ description: 'Only endpoints of this application.' }),
      applicationVersionName: Type.String({ description: 'Only endpoints of this application version.' }),
      filterId: Type.String({ description: 'Only endpoints that match this active filter.' }),
      metadataFilter: Type.Unsafe<JsonObject | string>({
        type: ['object', 'string'],
        description: 'An object over metadata keys, its JSON text, or `key:value,key:value`, as in the list.',
      }),
      multiFilter: Type.String({ description: 'Text found in the id or in any metadata value.' }),
      query: MongoQuery,
      regex: Type.Unsafe<boolean | 'true' | 'false'>({
        enum: [true, false, 'true', 'false'],
        description: 'Id, text and values are case-insensitive regular expressions.',
      }),
      include: texts('`metadata` and `filters`: a list, or a text with a comma between.'),
      tenantId: Type.String({
        description: 'Only endpoints of this tenant; of another one with `kaa:tenant:read` on `kaa-system`.',
      }),
      offset: Type.Unsafe<number | string>({
        type: ['integer', 'string'],
        minimum: 0,
        pattern: '^[0-9]+$',
        description: 'Endpoints before the page.',
      }),
      limit: documented(
        Type.Unsafe<number | string>({
          type: ['integer', 'string'],
          minimum: 1,
          pattern: '^0*[1-9][0-9]*$',
        }),
        ({ pageDefault, pageMax }) => ({
          maximum: pageMax,
          description: `Endpoints on the page, at most; ${pageDefault} when it is not said.`,
        }),
      ),
      cursor: Type.String({ description: '`nextCursor` of the page before; not with `offset`.' }),
      sort: Type.String({
        pattern: '^(createdDate|endpointId)(,(asc|desc))?$',
        examples: ['createdDate,desc'],
      }),
    }),
  ),
);

type Body = typeof Search.static;

export const searchEndpoints = defineRoute({
  operationId: 'searchEndpoints',
  method: 'POST',
  path: '/endpoints/search',
  summary: 'Search endpoints',
  description:
    'The list of endpoints with its parameters in a JSON body, and with `query`. All that is given must hold; `{}` is all endpoints. ' +
    'Newest first, then by id, unless `sort` says otherwise; follow `nextCursor`, with the same filters, to read all.',
  tags,
  access: { scope: 'endpoint:read', on: 'each' },
  query: EndpointQuery,
  body: {
    as: Search,
    content: {
      'application/json': {
        schema: Search,
        example: {
          query: { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } },
          metadataFilter: { city: 'Kyiv' },
          include: ['metadata'],
          limit: 10,
        },
      },
    },
    levelsAbove: QUERY_LEVELS,
  },
  responses: {
    200: {
      description: 'A page of endpoints.',
      schema: EndpointPage,
      example: {
        totalElements: 1,
        content: [
          {
            ...endpointExample,
            metadataUpdatedDate: endpointExample.createdDate,
            metadata: { city: 'Kyiv', temp: 21 },
          },
        ],
      },
    },
  },
  errors: pageErrors,
  async handle(call, deps) {
    const { body, query } = call;
    const included = readInclude([...listOf(body.include), ...(query.include ?? [])]);
    if ('kind' in included) return inBody(included);
    const wanted = readSearch(body, query.tenantId);
    if ('kind' in wanted) return inBody(wanted);
    const paging = {
      sort: body.sort,
      offset: numberOf(body.offset),
      limit: numberOf(body.limit),
      cursor: body.cursor,
    };
    const result = await answerPage(call, wanted, paging, included, deps);
    return result.kind === 'refused' ? inBody(result) : result;
  },
});

function readSearch(body: Body, tenantId: string | undefined): Wanted | Refusal {
  if (body.endpointId !== undefined && body.endpointIds !== undefined) {
    return refuse('invalid-body', '"endpointId" and "endpointIds" mean the same: give one of them.', [
      { path: '/endpointId', message: 'stands beside "endpointIds".' },
    ]);
  }
  const regex = body.regex === true || body.regex === 'true';
  const given = body.endpointIds ?? body.endpointId;
  const ids = given === undefined ? undefined : listOf(given);
  if (regex && ids !== undefined && ids.length !== 1) {
    const name = body.endpointIds === undefined ? 'endpointId' : 'endpointIds';
    return refuse('invalid-body', `With "regex", "${name}" is one regular expression; give one.`, [
      { path: `/${name}`, message: `must be one pattern; found ${ids.length}.` },
    ]);
  }
  const wanted = readWanted({ ...body, tenantId: body.tenantId ?? tenantId }, regex, ids);
  return 'kind' in wanted || body.query === undefined ? wanted : { ...wanted, query: body.query };
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function numberOf(value: number | string | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
