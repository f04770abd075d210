import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Test } from 'tap';
import { type LeavingServer, startLeavingServer } from './leaving-server.js';

/** The settings of an application, as JSON under `kaa.applications`. */
export type TektonApplication = { versions?: unknown } & Record<string, unknown>;

export interface TektonServer extends LeavingServer {
  /** what it has; to be changed by tests */
  applications: Record<string, TektonApplication>;
  /** `kaa` beside the applications */
  more: Record<string, unknown>;
  /** paths that were asked for, without the head that all have, and what correlation id came with each */
  asked: { path: string; correlationId: string }[];
  /** answers instead of it; undefined: it answers by itself again */
  answer: ((response: ServerResponse, path: string) => void) | undefined;
}

/** Tekton's `GET /api/v1/app-configs` over HTTP, whole and narrowed, for the instance `epr`. There is no Tekton to be had. */
export async function startTekton(
  t: Test,
  applications: Record<string, TektonApplication> = {},
): Promise<TektonServer> {
  const HEAD = '/api/v1/app-configs';
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://tekton');
    const path = url.pathname.slice(HEAD.length);
    tekton.asked.push({ path, correlationId: String(request.headers['x-correlation-id']) });
    if (tekton.answer !== undefined) return tekton.answer(response, path);
    const found =
      request.method === 'GET' &&
      url.pathname.startsWith(HEAD) &&
      url.searchParams.get('serviceInstanceName') === 'epr'
        ? find(tekton, path)
        : undefined;
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    const kaa = { applications: found, ...(path === '' ? tekton.more : {}) };
    response.end(JSON.stringify(found === undefined ? { message: 'Not found' } : { epr: { kaa } }));
  };
  const tekton: TektonServer = {
    ...(await startLeavingServer(t, listener)),
    applications,
    more: {},
    asked: [],
    answer: undefined,
  };
  return tekton;
}

function find({ applications }: TektonServer, path: string): Record<string, TektonApplication> | undefined {
  if (path === '') return applications;
  const [, name = '', , version] =
    /^\/applications\/([^/]+)(\/app-versions\/([^/]+))?$/.exec(decodeURIComponent(path)) ?? [];
  const application = applications[name];
  if (application === undefined || version === undefined)
    return application === undefined ? undefined : { [name]: application };
  const versions = (application.versions ?? {}) as Record<string, unknown>;
  // without the settings of the application: a reader must not take them for defaults
  return versions[version] === undefined
    ? undefined
    : { [name]: { versions: { [version]: versions[version] } } };
}
