import { Type } from '@sinclair/typebox';
import { refuse } from '../../model/errors.js';
import { defineRoute } from '../table/route.js';
import { cursorParameter } from '../table/paging.js';
import { closedObject, endpointParameters, include, pageParameters } from '../table/schemas.js';
import { answerPage, pageErrors, readWanted } from './endpoint-pages.js';
import { EndpointPage, endpointExample, readInclude } from './endpoint-views.js';

const tags = ['Endpoints'] as const;

const ListParameters = closedObject({
  ...endpointParameters,
  include,
  tenantId: Type.Optional(
    Type.String({
      description: 'Only endpoints of this tenant; of another one with `kaa:tenant:read` on `kaa-system`.',
      examples: ['kaa'],
    }),
  ),
  endpointId: Type.Optional(
    Type.Array(Type.String(), {
      description: 'Only these endpoints; with `regex`, one pattern.',
      examples: [['kettle-1', 'kettle-2']],
    }),
  ),
  applicationName: Type.Optional(
    Type.String({ description: 'Only endpoints of this application.', examples: ['demo'] }),
  ),
  applicationVersionName: Type.Optional(
    Type.String({
      description: 'Only endpoints of this application version.',
      examples: ['demo-v1'],
    }),
  ),
  filterId: Type.Optional(
    Type.String({
      description: 'Only endpoints that match this active filter.',
      examples: ['2f1c5b1e-7c1c-4a5e-9d2b-0f6f1d0f9a11'],
    }),
  ),
  metadataFilter: Type.Optional(
    Type.String({
      description:
        'A JSON object over metadata keys, in the filter language; `null`, `$ne` and the like hold of a key that is not there, too, and a dotted name is a path into a value. ' +
        'Or `key:value,key:value`; in the second form a comma in a value is written `\\,` and a backslash before it `\\\\`.',
      examples: ['{"city":"Kyiv","temp":{"$gt":20}}', 'city:Kyiv,temp:4'],
    }),
  ),
  multiFilter: Type.Optional(
    Type.String({ description: 'Text found in the id or in any metadata value.', examples: ['Kyiv'] }),
  ),
  regex: Type.Optional(
    Type.Boolean({
      default: false,
      description: 'Id, text and values are case-insensitive regular expressions.',
      examples: [false],
    }),
  ),
  ...pageParameters,
  cursor: cursorParameter,
  sort: Type.Optional(
    Type.String({
      pattern: '^(createdDate|endpointId)(,(asc|desc))?$',
      default: 'createdDate,desc',
      description: 'By what, and `asc` (meant when neither is said) or `desc`.',
      examples: ['createdDate,desc'],
    }),
  ),
});

export const listEndpoints = defineRoute({
  operationId: 'listEndpoints',
  method: 'GET',
  path: '/endpoints',
  summary: 'List endpoints',
  description:
    'Newest first, then by id, unless `sort` says otherwise. Follow `nextCursor` to read all: a page costs the same at any depth. ' +
    'What makes an address of more than a thousand characters is better asked by `POST /endpoints/search`.',
  tags,
  access: { scope: 'endpoint:read', on: 'each' },
  query: ListParameters,
  responses: {
    200: {
      description: 'A page of endpoints.',
      schema: EndpointPage,
      example: {
        totalElements: 1,
        content: [endpointExample],
      },
    },
  },
  errors: pageErrors,
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
