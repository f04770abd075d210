import { createHash } from 'node:crypto';
import { Type } from '@sinclair/typebox';
import { refuse } from '../../model/errors.js';
import { headOf } from '../../model/record.js';
import type { ListQuery } from '../../register/index.js';
import { readMetadataFilter } from '../table/metadata-filter.js';
import { encodeCursor, readPaging } from '../table/paging.js';
import { type Call, defineRoute } from '../table/route.js';
import { Endpoint, closedObject, endpointParameters, include, pageOf } from '../table/schemas.js';
import { endpointPageParts, readInclude } from './endpoint-views.js';

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

type ListCall = Call<string, typeof ListParameters.static>;

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
        content: [
          {
            endpointId: 'kettle-1',
            createdDate: '2017-03-17T11:30:02.643Z',
            appVersion: { name: 'smart_kettle-v1', registeredDate: '2017-03-17T11:30:02.643Z' },
          },
        ],
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
    const query = readListQuery(call, deps.limits());
    if ('kind' in query) return query;
    const answer = await deps.register.endpoints.list(call.context, query);
    if (answer.kind !== 'ok') return answer;
    const { total, next } = answer.value;
    let { records } = answer.value;
    if (deps.access.authenticates) {
      const resources = records.map((record) => `endpoint-${headOf(record).endpointId}`);
      const granted = await deps.access.decide(call.caller, 'endpoint:read', resources);
      records = records.filter((_record, i) => granted[i] === true);
    }
    const filters = included.filters ? await deps.register.endpoints.filterIds(records) : [];
    const nextCursor =
      next === undefined ? undefined : encodeCursor(query.sort, next, hashFilters(call.query));
    return {
      kind: 'reply',
      status: 200,
      parts: endpointPageParts({ total, records, filters, nextCursor }, included),
    };
  },
});

/** Short, for cursors: a list goes on only with the filters that it began with. */
function hashFilters(query: ListCall['query']): string {
  const { tenantId, applicationName, applicationVersionName, filterId, metadataFilter, multiFilter } = query;
  const ids = [...(query.endpointId ?? [])].sort();
  const own = [tenantId, applicationName, applicationVersionName, filterId, metadataFilter, multiFilter];
  const text = JSON.stringify([ids, query.regex ?? false, ...own]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}

function readListQuery({ query }: ListCall, limits: Parameters<typeof readPaging>[1]) {
  const paging = readPaging(query, limits, hashFilters(query));
  if ('kind' in paging) return paging;
  const wanted: ListQuery = { ...paging, regex: query.regex ?? false };
  if (wanted.regex && (query.endpointId?.length ?? 0) > 1) {
    return refuse(
      'invalid-parameter',
      'With "regex=true", "endpointId" is one regular expression; give it once.',
    );
  }
  if (query.tenantId !== undefined) wanted.tenant = query.tenantId;
  if (query.endpointId !== undefined) wanted.endpointIds = query.endpointId;
  if (query.applicationName !== undefined) wanted.application = query.applicationName;
  if (query.applicationVersionName !== undefined) wanted.version = query.applicationVersionName;
  if (query.filterId !== undefined) wanted.filterId = query.filterId;
  if (query.multiFilter !== undefined) wanted.multiFilter = query.multiFilter;
  if (query.metadataFilter !== undefined) {
    const filter = readMetadataFilter(query.metadataFilter);
    if (filter.kind === 'refused') return filter;
    wanted.metadataFilter = filter;
  }
  return wanted;
}
