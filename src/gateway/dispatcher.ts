import { randomUUID } from 'node:crypto';
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { type Refusal, refuse } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { Authenticated, Caller } from '../security/index.js';
import { API, baseUrl } from './base-url.js';
import type { GatewayMetrics, RouteMetrics } from './gateway-metrics.js';
import { readBody } from './read-body.js';
import { prepareCall } from './prepare-call.js';
import { type PreparedRoute, prepareRoutes } from './prepared-route.js';
import { isGranted, isGrantedAtOnce } from './authorization.js';
import type { Pages } from './pages/index.js';
import { handleOnce } from './table/idempotency.js';
import type { Result } from './table/reply.js';
import type { Call, Route, RouteDeps } from './table/route.js';
import { createRouter } from './table/router.js';
import { type BodyBudget, BodyStream } from './wire/body.js';
import { Exchange } from './wire/exchange.js';
import { type RequestHead, readHead } from './wire/request-head.js';
import { readWebSocketProtocol } from './wire/web-socket-protocol.js';
import { asksForWebSocket, type OriginRules, refuseUpgrade, type UpgradeContext } from './wire/upgrade.js';
import { internalFault, sendFault, sendReply } from './wire/send-result.js';

export interface DispatcherOptions {
  pathPrefixes: readonly string[];
  publicUrl: string | undefined;
  /** only programs of this machine can connect */
  onLoopback: boolean;
  /** `host:port`, for a request whose `Host` can't be used */
  listening: () => string;
  streamIdleMs: number;
  /** of all ordinary bodies that are being received */
  bodiesBytes: number;
}

export interface Dispatcher {
  /** `context`: the request may ask for a WebSocket. */
  handle(response: HttpResponse, request: HttpRequest, context?: UpgradeContext): void;
  /** From now on every request is answered with 503. */
  stop(): void;
}

/** Takes each request through its route: head, parameters, caller, body, handler, answer. */
export function createDispatcher(
  routes: readonly Route[],
  deps: RouteDeps,
  metrics: GatewayMetrics,
  options: DispatcherOptions,
  pages: Pages,
): Dispatcher {
  const router = createRouter(prepareRoutes(routes, metrics));
  const unknownRoute = metrics.forRoute('*', 'unknown');
  const bases = options.pathPrefixes
    .map((prefix) => ({ prefix, base: prefix + API }))
    .sort((a, b) => b.base.length - a.base.length);
  const budget: BodyBudget = { limitBytes: options.bodiesBytes, usedBytes: 0 };
  const origins: OriginRules = {
    publicUrl: options.publicUrl,
    isOpenOnLoopback: options.onLoopback && !deps.access.authenticates,
  };
  let stopping = false;

  function handle(response: HttpResponse, request: HttpRequest, context?: UpgradeContext): void {
    const head = readHead(request);
    let counted: RouteMetrics = unknownRoute;
    metrics.begin();
    const exchange = new Exchange(response, head, (ended, status) => counted.end(ended, status));
    try {
      dispatch(exchange, (route) => (counted = route), context);
    } finally {
      // uWebSockets.js ends the process when a request is left neither answered nor watched
      exchange.handled();
    }
  }

  function dispatch(
    exchange: Exchange,
    count: (as: RouteMetrics) => void,
    context: UpgradeContext | undefined,
  ): void {
    const { head } = exchange;
    const fault = identify(exchange);
    if (stopping) return sendFault(exchange, refuse('stopping'), [], true);
    if (fault !== undefined) {
      // Where the headers are in doubt, so is the end of the body, and what is behind it must not be taken for a request:
      // uWebSockets.js closes a connection on which one comes before the answer to the last.
      setImmediate(() => sendFault(exchange, fault, [], true));
      return;
    }
    const mount = findMount(head.path);
    if (mount === undefined) {
      const page = pages.find(head.path);
      if (page === undefined) return sendFault(exchange, notFound(head));
      count(page.metrics);
      return page.answer(exchange);
    }
    const segments = decodeSegments(head.path.slice(mount.base.length));
    if (segments === undefined) {
      return sendFault(
        exchange,
        refuse('invalid-parameter', 'The path is not percent-encoded UTF-8; a "%" itself is written "%25".'),
      );
    }
    const match = router.match(head.method, segments);
    if (match.kind === 'none') return sendFault(exchange, notFound(head));
    if (match.kind === 'method') {
      const allowed = match.allowed.join(', ');
      return sendFault(
        exchange,
        refuse('method-not-allowed', `This path takes ${allowed}; found ${head.method.slice(0, 20)}.`),
        [['Allow', allowed]],
      );
    }
    count(match.route.metrics);
    // where no WebSocket is to be had the request is answered as if it had not asked (RFC 9110, 7.8)
    if (match.route.route.webSocket !== undefined && asksForWebSocket(head)) {
      const refusal = refuseUpgrade(head, origins);
      if (refusal !== undefined) return sendFault(exchange, refusal, [['Sec-WebSocket-Version', '13']]);
      const protocol = readWebSocketProtocol(head.webSocketProtocol);
      if ('kind' in protocol) return sendFault(exchange, protocol);
      if (protocol.token !== undefined && head.authorization !== undefined)
        return sendFault(exchange, refuse('invalid-header', 'There are two tokens; send one.'));
      if (protocol.token !== undefined) head.authorization = `Bearer ${protocol.token}`;
      if (context !== undefined)
        exchange.upgradeTo = { key: head.webSocketKey!, protocol: protocol.protocol, context };
    }
    const call = prepareCall(exchange, match.route, match.values, mount.prefix);
    if ('code' in call) return sendFault(exchange, call);
    const fail = (error: unknown): void => {
      deps.log.error(
        { err: error, correlationId: exchange.correlationId, route: match.route.route.operationId },
        'a request failed',
      );
      if (exchange.status === 0) sendFault(exchange, internalFault());
      else exchange.destroy();
    };
    try {
      serve(exchange, match.route, call)?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  function findMount(path: string): (typeof bases)[number] | undefined {
    for (const mount of bases) {
      const { length } = mount.base;
      if (path.startsWith(mount.base) && (path.length === length || path[length] === '/')) return mount;
    }
    return undefined;
  }

  /** A request that nothing has to be waited for is answered at once. */
  function serve(exchange: Exchange, prepared: PreparedRoute, call: Call): Promise<void> | undefined {
    const { route } = prepared;
    if (route.body !== undefined || call.idempotencyKey !== undefined)
      return serveLater(exchange, prepared, call);
    if (deps.access.authenticates && route.access !== 'public') {
      const caller = callerOf(exchange, route, call);
      if (caller instanceof Promise || 'kind' in caller) return serveLater(exchange, prepared, call, caller);
      enter(call, caller);
      if (!isGrantedAtOnce(route.access, call, deps)) return serveLater(exchange, prepared, call, caller);
    }
    const result = route.handle(call, deps);
    if (result instanceof Promise) return result.then((later) => answer(exchange, prepared, call, later));
    answer(exchange, prepared, call, result);
    return undefined;
  }

  /** @param identified - who asks, where that was found already */
  async function serveLater(
    exchange: Exchange,
    prepared: PreparedRoute,
    call: Call,
    identified?: Authenticated | Promise<Authenticated>,
  ): Promise<void> {
    const { route } = prepared;
    // the body must be listened to before anything is waited for
    const body = readBody(exchange, prepared, deps.limits(), options.streamIdleMs, budget);
    if (body !== undefined && 'kind' in body)
      return sendFault(exchange, body, [], body.code === 'body-too-large');
    if (deps.access.authenticates && route.access !== 'public') {
      const caller = await (identified ?? callerOf(exchange, route, call));
      if ('kind' in caller) return sendFault(exchange, caller);
      enter(call, caller);
    }
    if (body !== undefined) {
      call.mediaType = body.mediaType;
      if (body.content instanceof BodyStream) call.stream = body.content;
      else {
        const content = await body.content;
        if (content === 'gone') return;
        if ('kind' in content) return sendFault(exchange, content, [], endsUnread(content));
        call.body = content.value;
        call.text = content.text;
      }
    }
    if (deps.access.authenticates && route.access !== 'public') {
      const refusal = await isGranted(route.access, call, deps);
      if (refusal !== undefined) return sendFault(exchange, refusal);
    }
    const { idempotencyKey } = call;
    const result =
      idempotencyKey === undefined
        ? await route.handle(call, deps)
        : await handleOnce(route, call, idempotencyKey, deps);
    answer(exchange, prepared, call, result);
  }

  function callerOf(exchange: Exchange, route: Route, call: Call): Authenticated | Promise<Authenticated> {
    const { authorization } = exchange.head;
    const ticket = route.takesTicket === true ? (call.query as { ticket?: string }).ticket : undefined;
    if (ticket === undefined) return deps.access.authenticate(authorization);
    if (authorization !== undefined)
      return refuse('invalid-parameter', 'There are a ticket and a token; send one of them.');
    const caller = deps.tickets.redeem(ticket);
    return caller !== undefined && deps.access.counts(caller)
      ? caller
      : refuse(
          'unauthenticated',
          'The ticket is unknown, older than 30 s, or was used already: ask for another one.',
        );
  }

  function answer(exchange: Exchange, prepared: PreparedRoute, call: Call, result: Result): void {
    if (!exchange.open) return;
    if (result.kind === 'reply') {
      sendReply(exchange, result, prepared.serialize, () =>
        baseUrl(exchange.head, call.prefix, options.publicUrl, options.listening()),
      );
    } else if (result.kind === 'takeover') {
      if (exchange.head.method === 'HEAD')
        exchange.send(200, [
          ['Content-Type', prepared.route.responses[200]?.mediaType ?? 'application/json'],
        ]);
      else result.begin(exchange);
    } else sendProblem(exchange, result);
  }

  function sendProblem(exchange: Exchange, fault: Refusal | Retry): void {
    if (fault.code === 'internal')
      deps.log.error({ correlationId: exchange.correlationId }, `a request failed: ${fault.message}`);
    sendFault(exchange, fault.code === 'internal' ? internalFault() : fault);
  }

  return {
    handle,
    stop() {
      stopping = true;
    },
  };
}

function enter(call: Call, caller: Caller): void {
  call.caller = caller;
  if (caller.tenant !== undefined) call.context.tenant = caller.tenant;
  if (caller.token !== undefined) call.context.subject = caller.token.subject;
}

/** Whether the rest of the body is not worth reading. */
function endsUnread({ code }: Refusal): boolean {
  return code === 'body-too-large' || code === 'overloaded';
}

/** Gives the exchange its correlation id, and answers what is wrong with the headers. */
function identify(exchange: Exchange): Refusal | undefined {
  const { correlationId, fault } = exchange.head;
  if (correlationId === undefined || correlationId === '') exchange.correlationId = randomUUID();
  else if (/^[\x20-\x7e]{1,128}$/.test(correlationId)) exchange.correlationId = correlationId;
  else {
    exchange.correlationId = randomUUID();
    return refuse('invalid-header', 'X-Correlation-ID takes 1 to 128 printable ASCII characters.');
  }
  return fault === undefined ? undefined : refuse('invalid-header', fault);
}

function decodeSegments(path: string): string[] | undefined {
  const segments = path.split('/').slice(1);
  if (!path.includes('%')) return segments;
  try {
    return segments.map((segment) => decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}

function notFound(head: RequestHead): Refusal {
  return refuse(
    'not-found',
    `There is nothing at ${head.path.slice(0, 200)}; /api/v1/openapi.json lists what there is.`,
  );
}
