import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { GatewayDeps, HealthReport } from './types.js';
import { statusLine } from './wire/status-lines.js';
import { uWS } from './wire/server.js';

interface Answer {
  status: number;
  type: string;
  body: string;
}

/** Health, metrics and information, on a port of their own. `isStopping`: then it is alive, but not ready. */
export function createManagement(deps: GatewayDeps, isStopping: () => boolean): TemplatedApp {
  const { metrics, access, options } = deps;

  async function report(): Promise<HealthReport> {
    try {
      return await deps.health();
    } catch (error) {
      return { components: { service: { status: 'DOWN', details: { message: (error as Error).message } } } };
    }
  }

  async function health(): Promise<Answer> {
    const { components } = await report();
    const up = Object.values(components).every(({ status }) => status === 'UP');
    const ready = up && !isStopping();
    const authentication = access.authenticates ? 'on' : 'off';
    return json(ready ? 200 : 503, {
      status: isStopping() ? 'OUT_OF_SERVICE' : up ? 'UP' : 'DOWN',
      authentication,
      components,
    });
  }

  const pages: Record<string, () => Promise<Answer>> = {
    '/health': health,
    '/health/ready': health,
    '/actuator/health': health,
    '/health/live': async () => json(200, { status: 'UP' }),
    '/info': async () =>
      json(200, { node: process.version, uptimeSeconds: Math.floor(process.uptime()), ...options.info }),
    '/metrics': async () => ({ status: 200, type: metrics.contentType, body: await metrics.metrics() }),
  };

  return uWS.App().any('/*', (response: HttpResponse, request: HttpRequest) => {
    const method = request.getCaseSensitiveMethod();
    const path = request.getUrl();
    let gone = false;
    response.onAborted(() => {
      gone = true;
    });
    const send = ({ status, type, body }: Answer, allow = false): void => {
      if (gone) return;
      response.cork(() => {
        response
          .writeStatus(statusLine(status))
          .writeHeader('Content-Type', type)
          .writeHeader('Cache-Control', 'no-store');
        if (allow) response.writeHeader('Allow', 'GET, HEAD');
        if (method !== 'HEAD') response.end(body);
        else {
          // as in Exchange.send
          response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
          response.endWithoutBody();
        }
      });
    };
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined) {
      return send(
        json(404, {
          message: `There is nothing here; there are ${Object.keys(pages).join(', ')}.`,
          code: 'not-found',
        }),
      );
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return send(json(405, { message: 'This path takes GET and HEAD.', code: 'method-not-allowed' }), true);
    }
    page().then(send, (error: unknown) => {
      deps.log.error({ err: error, path }, 'a management request failed');
      send(json(500, { message: 'Something went wrong here; it is logged.', code: 'internal' }));
    });
  });
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value) };
}
