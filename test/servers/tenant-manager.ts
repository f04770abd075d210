import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Test } from 'tap';
import { type LeavingServer, startLeavingServer } from './leaving-server.js';

/** What a test says of a tenant; the rest is as the published interface has it. */
export interface GivenTenant {
  issuer: unknown;
  status?: string;
  client_backend_id?: unknown;
  client_backend_secret?: unknown;
}

export interface TenantManagerServer extends LeavingServer {
  /** what it has, by id; to be changed by tests */
  tenants: Record<string, GivenTenant>;
  /** rows of the answer that are not made of {@link tenants} */
  more: unknown[];
  /** what came, with the token and the correlation id of each */
  asked: { url: string; authorization: string | undefined; correlationId: string }[];
  /** whether a bearer token is one; by default each is */
  knows: (token: string) => boolean;
  /** whether it may read tenants; by default each may */
  takes: (token: string) => boolean;
  /** answers instead of it; undefined: it answers by itself again */
  answer: ((response: ServerResponse) => void) | undefined;
}

/** The page that who names no limit gets. */
const DEFAULT_LIMIT = 50;

/** The tenant manager's `GET /api/v1/tenants` over HTTP, as published. There is no tenant manager to be had. */
export async function startTenantManager(
  t: Test,
  tenants: Record<string, GivenTenant> = {},
): Promise<TenantManagerServer> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const { authorization } = request.headers;
    const url = request.url ?? '';
    manager.asked.push({
      url,
      authorization,
      correlationId: String(request.headers['x-correlation-id']),
    });
    if (manager.answer !== undefined) return manager.answer(response);
    const { pathname, searchParams } = new URL(url, 'http://tenant-manager');
    const say = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.method !== 'GET' || pathname !== '/api/v1/tenants') return say(404, { message: 'Not found' });
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    if (token === undefined || !manager.knows(token)) return say(401, { message: 'Unauthorized' });
    if (!manager.takes(token)) return say(403, { message: 'Forbidden' });
    const all = [...Object.entries(manager.tenants).map(rowOf), ...manager.more];
    const offset = Number(searchParams.get('offset') ?? 0);
    const limit = Number(searchParams.get('limit') ?? DEFAULT_LIMIT);
    const page = limit === 0 ? all.slice(offset) : all.slice(offset, offset + limit);
    say(200, { count: all.length, results: page });
  };
  const manager: TenantManagerServer = {
    ...(await startLeavingServer(t, listener)),
    tenants,
    more: [],
    asked: [],
    knows: () => true,
    takes: () => true,
    answer: undefined,
  };
  return manager;
}

function rowOf([id, given]: [string, GivenTenant]): Record<string, unknown> {
  return {
    id,
    realm_name: id,
    client_frontend_id: `${id}-front`,
    client_backend_id: 'epr',
    client_backend_secret: `secret-of-${id}`,
    realm_template_version: 1,
    realm_scopes_version: 1,
    client_backend_version: 1,
    client_frontend_version: 1,
    roles_version: 1,
    resources_version: 1,
    status: 'AVAILABLE',
    ...given,
  };
}
