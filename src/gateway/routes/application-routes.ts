import { Type } from '@sinclair/typebox';
import { named } from '../table/described.js';
import { replyJson } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import { closedObject } from '../table/schemas.js';
import { listApplications } from './application-list.js';

const KeysByVersion = named(
  'MetadataKeysByVersion',
  Type.Unsafe<Record<string, string[]>>({
    type: 'object',
    additionalProperties: { type: 'array', items: { type: 'string' } },
    description: 'Under the name of each application version, sorted keys.',
  }),
);

const getKeys = defineRoute({
  operationId: 'listApplicationMetadataKeys',
  method: 'GET',
  path: '/applications/{app}/metadata-keys',
  summary: 'List the metadata keys of an application',
  description:
    'The keys that endpoints of each version have now. Kept while they change, so that no endpoint is read. A version without keys has an empty list.',
  tags: ['Metadata'],
  access: { scope: 'application:endpoints-metadata-keys:read', on: 'application' },
  query: closedObject({}),
  responses: {
    200: {
      description: 'The keys, by version.',
      schema: KeysByVersion,
      example: { 'demo-v1': ['city', 'temp'], 'demo-v2': [] },
    },
  },
  errors: ['application-not-found'],
  async handle(call, deps) {
    const answer = await deps.register.endpoints.metadataKeys(call.context, call.path.app);
    if (answer.kind !== 'ok') return answer;
    return replyJson(JSON.stringify(Object.fromEntries(answer.value)));
  },
});

export const applicationRoutes: readonly Route[] = [listApplications, getKeys];
