import { Type } from '@sinclair/typebox';
import type { Describe } from '../openapi/document.js';
import { readingCondition } from '../table/entity-tags.js';
import { replyJson } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import { applicationRoutes } from './application-routes.js';
import { batchRoutes } from './batch-routes.js';
import { endpointRoutes } from './endpoint-routes.js';
import { eventRoutes } from './event-routes.js';
import { filterRoutes } from './filter-routes.js';
import { metadataRoutes } from './metadata-routes.js';
import { relationRoutes } from './relation-routes.js';
import { republishRoutes } from './republish-routes.js';
import { signInRoutes } from './sign-in-route.js';

/** The one table of routes. `describe` writes it as an OpenAPI document for the path prefix of a request. */
export function createRoutes(describe: Describe): readonly Route[] {
  const openApi = defineRoute({
    operationId: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    description: 'The servers that it names begin with the one under which it was asked for.',
    tags: ['Service'],
    access: 'public',
    conditional: true,
    responses: {
      200: {
        description: 'OpenAPI 3.1.',
        schema: Type.Unsafe<object>({ type: 'object', required: ['openapi', 'info', 'paths'] }),
        headers: ['ETag'],
        example: { openapi: '3.1.0', info: { title: 'Endpoint register', version: '1.0.0' }, paths: {} },
      },
    },
    errors: [],
    handle(call) {
      const { text, etag } = describe(routes, call.prefix);
      return readingCondition(call, etag) ?? replyJson(text, etag);
    },
  });
  const routes: readonly Route[] = [
    ...endpointRoutes,
    ...batchRoutes,
    ...metadataRoutes,
    ...relationRoutes,
    ...applicationRoutes,
    ...filterRoutes,
    ...eventRoutes,
    ...republishRoutes,
    ...signInRoutes,
    openApi,
  ];
  return routes;
}
