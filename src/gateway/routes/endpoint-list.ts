import { Type } from '@sinclair/typebox';
import { refuse } from '../../model/errors.js';
import { defineRoute } from '../table/route.js';
import { Endpoint, closedObject, endpointParameters, include, pageOf } from '../table/schemas.js';
import { answerPage, readWanted } from './endpoint-pages.js';
import { endpointExample, readInclude } from './endpoint-views.js';

const tags = ['Endpoints'] as const;

const ListParameters = closedObject({
  ...endpointParameters,
  include,
  tenantId: Type.Optional(Type.String({ description: 'Only endpoints of this tenant.' })),
  endpointId: Type.Optional(
    Type.Array(Type.String(), { description: 'Only these endpoints; with `regex`, one pattern.' }),
  ),
  applicationName: Type.Optional(Type.String()),
  applicationVersionName: Type.Optional(Type.String()),
  filterId: Type.Optional(Type.String({ description: 'Only endpoints that match this active filter.' })),
  metadataFilter: Type.Optional(
    Type.String({
      description:
        'A JSON object over metadata keys, or `key:value,key:value`; in the second form a comma in a value is written `\\,` and a backslash before it `\\\\`.',
      examples: ['{"city":"Kyiv","temp":{"$gt":20}}', 'city:Kyiv,temp:4'],
    }),
  ),
  multiFilter: Type.Optional(Type.String({ description: 'Text found in the id or in any metadata value.' })),
  regex: Type.Optional(
    Type.Boolean({ description: 'Id, text and values are case-insensitive regular expressions.' }),
  ),
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Default 1000, at most 10000 (configuration).' }),
  ),
  cursor: Type.Optional(Type.String({ description: '`nextCursor` of the page before; not with `offset`.' })),
  sort: Type.Optional(
    Type.String({ pattern: '^(createdDate|endpointId)(,(asc|desc))?$', examples: ['createdDate,desc'] }),
  ),
});

export const listEndpoints = defineRoute({
  operationId: 'listEndpoints',
  method: 'GET',
  path: '/endpoints',
  summary: 'List endpoints',
  description:
    'Newest first, then by id, unless `sort` says otherwise. Follow `nextCursor` to read all: a page costs the same at any depth.',
  tags,
  access: { scope: 'endpoint:read', on: 'each' },
  query: ListParameters,
  responses: {
    200: {
      description: 'A page of endpoints.',
      schema: pageOf(Endpoint, true),
      example: {
        totalElements: 1,
        content: [endpointExample],
      },
    },
  },
  errors: [
    'application-not-found',
    'application-version-not-found',
    'filter-not-found',
    'filter-pending',
    'invalid-query',
  ],
  async handle(call, deps) {
    const included = readInclude(call.query.include);
    if ('kind' in included) return included;
    const regex = call.query.regex ?? false;
    if (regex && (call.query.endpointId?.length ?? 0) > 1) {
      return refuse(
        'invalid-parameter',
        'With "regex=true", "endpointId" is one regular expression; give it once.',
      );
    }
    const wanted = readWanted(call.query, regex, call.query.endpointId);
    return 'kind' in wanted ? wanted : answerPage(call, wanted, call.query, included, deps);
  },
});
