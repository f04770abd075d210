import fastJson from 'fast-json-stringify';
import { type Scope, SCOPES } from '../model/scopes.js';
import type { GatewayMetrics, RouteMetrics } from './gateway-metrics.js';
import { type Check, createCheck } from './table/checks.js';
import { type QueryReader, createQueryReader } from './table/query-parameters.js';
import type { Route } from './table/route.js';
import { type BoundRoute, namesOf } from './table/router.js';

/** A row with everything that is compiled from it. */
export interface PreparedRoute extends BoundRoute {
  metrics: RouteMetrics;
  readQuery: QueryReader;
  /** by media type; absent where the handler checks */
  checks: ReadonlyMap<string, Check>;
  serialize: (status: number, value: unknown) => string;
}

/** @throws Error for a row that does not say who may call it: what nobody thought of must not be open */
export function prepareRoutes(routes: readonly Route[], metrics: GatewayMetrics): PreparedRoute[] {
  return routes.map((route) => ({
    route: withAccess(route),
    names: namesOf(route.path),
    metrics: metrics.forRoute(route.method, route.path),
    readQuery: createQueryReader(route.query),
    checks: new Map(
      Object.entries(route.body?.content ?? {})
        .filter(([, media]) => media.unchecked === undefined && media.streamed === undefined)
        .map(([type, media]) => [type, createCheck(media.schema)]),
    ),
    serialize: createSerializer(route),
  }));
}

function withAccess(route: Route): Route {
  // rows are written in TypeScript, where this can't be; what is put together otherwise can
  const access = route.access as Partial<Route['access'] & object> | string | undefined;
  const isSaid =
    access === 'public' ||
    (typeof access === 'object' && SCOPES.includes(access.scope as Scope) && access.on !== undefined);
  if (!isSaid) throw new Error(`${route.operationId} does not say which scope its callers need.`);
  return route;
}

/** Compiled at the first answer of each status, so that the start does not wait for it. */
function createSerializer(route: Route): (status: number, value: unknown) => string {
  const byStatus = new Map<number, (value: unknown) => string>();
  return (status, value) => {
    let write = byStatus.get(status);
    if (write === undefined) {
      const schema = route.responses[status]?.schema;
      write = schema === undefined ? (each) => JSON.stringify(each) : fastJson(schema);
      byStatus.set(status, write);
    }
    return write(value);
  };
}
