import { replyJson } from '../table/reply.js';
import { type Route, defineRoute } from '../table/route.js';
import { AnyJson } from '../table/schemas.js';
import { applicationRoutes } from './application-routes.js';
import { batchRoutes } from './batch-routes.js';
import { endpointRoutes } from './endpoint-routes.js';
import { eventRoutes } from './event-routes.js';
import { filterRoutes } from './filter-routes.js';
import { metadataRoutes } from './metadata-routes.js';

/** The one table of routes. `describe` writes it as an OpenAPI document, at the first time that it is asked for. */
export function createRoutes(describe: (routes: readonly Route[]) => string): readonly Route[] {
  let document: string | undefined;
  const openApi = defineRoute({
    operationId: 'getOpenApi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    tags: ['Service'],
    access: 'public',
    responses: { 200: { description: 'OpenAPI 3.1.', schema: AnyJson } },
    errors: [],
    handle: () => replyJson((document ??= describe(routes))),
  });
  const routes: readonly Route[] = [
    ...endpointRoutes,
    ...batchRoutes,
    ...metadataRoutes,
    ...applicationRoutes,
    ...filterRoutes,
    ...eventRoutes,
    openApi,
  ];
  return routes;
}
