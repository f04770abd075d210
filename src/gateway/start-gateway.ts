import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isLoopback } from '../model/loopback.js';
import { createDispatcher } from './dispatcher.js';
import { createGatewayMetrics } from './gateway-metrics.js';
import { type Listening, listen } from './listen.js';
import { createManagement } from './management.js';
import { createDescribe } from './openapi/document.js';
import { createPages } from './pages/index.js';
import { createRoutes } from './routes/index.js';
import { type EventHub, createEventHub } from './streams/event-hub.js';
import { socketBehavior } from './streams/web-socket-channel.js';
import { createOpenStreams } from './streams/open-streams.js';
import { createTickets } from './streams/tickets.js';
import type { Gateway, GatewayDeps } from './types.js';
import { limitConnections, mostConnections } from './wire/connection-limit.js';
import { uWS } from './wire/server.js';

const EVENT_SUBSCRIBERS = 1000;
const HEARTBEAT_MS = 15_000;
const REVIEW_MS = 5_000;
const STREAM_IDLE_MS = 300_000;
const BODIES_BYTES = 256 * 1024 * 1024;
const DRAIN_POLL_MS = 10;
/** `build/public`, as seen from `build/src/gateway` */
const PAGES_FOLDER = fileURLToPath(new URL('../../public/', import.meta.url));
/** For clients whose request was not read to its end: closing resets the connection, and with it what is on the way to them. */
const LINGER_MS = 200;

/**
 * Serves REST and live events on one port, health and metrics on another. Rejects, with the remedy, when a port can't
 * be listened on; nothing is listened on then.
 */
export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  const { options, log, register } = deps;
  const metrics = createGatewayMetrics(deps.metrics, {
    subscribers: () => events.subscribers,
    connections: () => connections,
  });
  const events: EventHub = createEventHub({
    live: register.live,
    counts: (caller) => deps.access.counts(caller),
    maxSubscribers: options.eventSubscribers ?? EVENT_SUBSCRIBERS,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    ...(deps.access.authenticates ? { reviewMs: options.reviewMs ?? REVIEW_MS } : {}),
    onDropped: () => metrics.subscribers.dropped.inc(),
    onResumed: () => metrics.subscribers.resumed.inc(),
    onGap: () => metrics.subscribers.gaps.inc(),
    onFault: (error) => log.error({ err: error }, 'an event could not be read for the live stream'),
  });
  deps.access.onTenantChange(() => events.review());
  const streams = createOpenStreams();
  const { pathPrefixes: prefixes, version = '0', limits } = options;
  const routes = createRoutes(createDescribe({ prefixes, version, limits }));
  const { pathPrefixes } = options;
  const pages = createPages(
    {
      folder: options.pagesFolder ?? PAGES_FOLDER,
      pathPrefixes,
      signInOrigins: () => deps.signIn?.origins() ?? [],
    },
    metrics,
    log,
  );
  let port = options.port;
  const dispatcher = createDispatcher(
    routes,
    {
      register,
      access: deps.access,
      signIn: deps.signIn,
      publicUrl: options.publicUrl,
      limits: options.limits,
      events,
      streams,
      tickets: createTickets(),
      republishing: deps.republishing,
      log,
    },
    metrics,
    {
      pathPrefixes,
      publicUrl: options.publicUrl,
      onLoopback: isLoopback(options.host),
      listening: () => `${options.host}:${port}`,
      streamIdleMs: options.streamIdleMs ?? STREAM_IDLE_MS,
      bodiesBytes: options.bodiesBytes ?? BODIES_BYTES,
    },
    pages,
  );
  let stopping = false;
  const app = uWS.App();
  const connections = limitConnections(app, options.maxConnections ?? mostConnections(), log);
  app
    .ws('/*', {
      ...socketBehavior,
      close: (socket) => {
        connections.socketEnded();
        socket.getUserData().connection.closed();
      },
      upgrade: (response, request, context) => dispatcher.handle(response, request, context),
    })
    .any('/*', (response, request) => dispatcher.handle(response, request));
  const management = createManagement(deps, () => stopping);

  const main = await listen(app, options.host, options.port, 'server.port');
  port = main.port;
  let side: Listening;
  try {
    side = await listen(management, options.managementHost, options.managementPort, 'management.port');
  } catch (error) {
    app.close();
    throw error;
  }

  async function stop(graceMs: number): Promise<void> {
    stopping = true;
    main.stopListening();
    dispatcher.stop();
    events.close();
    const streamsEnded = streams.stop();
    const deadline = performance.now() + graceMs;
    while (metrics.inFlight > 0 && performance.now() < deadline) {
      await pause(DRAIN_POLL_MS);
    }
    if (streamsEnded > 0) await pause(Math.min(LINGER_MS, deadline - performance.now()));
    if (metrics.inFlight > 0)
      log.warn(
        `${metrics.inFlight} requests were not answered within ${graceMs} ms; their connections are closed`,
      );
    app.close();
    management.close();
  }

  let stopped: Promise<void> | undefined;
  return {
    port: main.port,
    managementPort: side.port,
    stop: (graceMs) => (stopped ??= stop(graceMs)),
  };
}
