import { DebugEvents, Events, type NatsConnection, type Status } from 'nats';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type Attempt, type ConnectFailure, describeFailure } from './connect-failure.js';
import { connectTo, readPapers } from './connector.js';
import { createDenials, type Denial } from './denials.js';
import { createLinkMetrics } from './link-metrics.js';
import { LINK_DEFAULTS, type LinkLimits, type MessagingOptions } from './options.js';
import { type ServerAddress, createServerList, serverText } from './server-list.js';
import type { SparingLog } from './sparing-log.js';

/** A connection that comes and goes, and comes again for ever until it is closed. */
export interface NatsLink {
  /** begins to connect, in the background */
  start(): void;
  /** the connection, while there is one */
  current(): NatsConnection | undefined;
  /** each time a connection is there: a new one, without subscriptions; called at once when there is one. Returns the way to unsubscribe. */
  onUp(listener: (connection: NatsConnection) => void): () => void;
  onDown(listener: () => void): () => void;
  /** the server refused what we published to a subject */
  onPublishDenied(listener: (subject: string) => void): () => void;
  status(): LinkStatus;
  close(): Promise<void>;
}

export interface LinkStatus {
  connected: boolean;
  /** host and port, without credentials */
  server?: string;
  /** why no server is connected, or what the server refuses, with the remedy */
  error?: string;
  /** rounds through all servers that failed since the last connection */
  attempts?: number;
}

export interface NatsLinkDeps {
  log: Logger;
  sparing: SparingLog;
  registry: Registry;
  /** whether a subject is one that this service publishes to of itself */
  isOwn: (subject: string) => boolean;
}

/** A connection that ends sooner counts as a failed attempt, so that a server that drops us at once is not asked at once. */
const STEADY_MS = 10_000;
const LAST_FLUSH_MS = 2_000;
/** Servers whose failures are told one by one. */
const LISTED_FAILURES = 5;
/** Different failures that are logged between two connections. */
const MOST_TOLD = 20;

export function createNatsLink(
  options: MessagingOptions,
  { log, sparing, registry, isOwn }: NatsLinkDeps,
): NatsLink {
  const limits: LinkLimits = { ...LINK_DEFAULTS, ...options.link };
  const ups = new Set<(connection: NatsConnection) => void>();
  const downs = new Set<() => void>();
  const publishDenials = new Set<(subject: string) => void>();
  const stopping = new AbortController();
  const servers = createServerList(options.urls);
  const told = new Set<string>();
  const denials = createDenials({ isOwn, log, sparing });
  let connection: NatsConnection | undefined;
  let failedRounds = 0;
  let error: string | undefined;
  let running: Promise<void> | undefined;
  const metrics = createLinkMetrics(registry, () => connection !== undefined);

  /** One after the other, until one takes us. */
  const connectToAny = async () => {
    const papers = await readPapers(options);
    if (!papers.ok) return fail([{ reason: 'files', text: papers.problem }]);
    const failures: ConnectFailure[] = [];
    for (const server of servers.inTurn()) {
      const result = await connectTo(server, options, papers.value, limits, stopping.signal);
      if (stopping.signal.aborted) return result.ok ? void result.connection.close() : undefined;
      if (result.ok) return { server, ...result };
      failures.push(result.failure);
    }
    return fail(failures);
  };

  const fail = (failures: readonly ConnectFailure[]): undefined => {
    failedRounds++;
    for (const { reason } of failures) metrics.failures.inc({ reason });
    const texts = failures.map(({ text }) => text).sort();
    const more = texts.length - LISTED_FAILURES;
    error = texts.slice(0, LISTED_FAILURES).join(' ') + (more > 0 ? ` And ${more} more.` : '');
    if (told.has(error) || told.size >= MOST_TOLD) return;
    told.add(error);
    log.warn({ error }, 'NATS is not reached; trying again in the background, for ever.');
  };

  /** Until it ends. Answers whether it was there for long. */
  const hold = async (present: NatsConnection, server: ServerAddress, attempt: Attempt): Promise<boolean> => {
    const sinceMs = performance.now();
    const stale = follow(present, server);
    connection = present;
    metrics.connects.inc();
    log.info({ server: serverText(server), ...(failedRounds > 0 && { failedRounds }) }, 'Connected to NATS.');
    error = undefined;
    failedRounds = 0;
    told.clear();
    for (const listener of ups) listener(present);
    const reason = await Promise.race([present.closed(), stale]);
    servers.lost(server);
    // the rest of one that is stale; one that is closed does not mind
    void present.close();
    connection = undefined;
    if (!stopping.signal.aborted) {
      error = reason ? describeFailure(reason, attempt).text : `${attempt.server} ended the connection.`;
      log.warn({ error }, 'The connection to NATS is lost; trying again.');
    }
    for (const listener of downs) listener();
    return performance.now() - sinceMs > STEADY_MS;
  };

  /** Answers when the client gives the connection up: it then waits until what it wrote last has gone out, maybe for ever. */
  const follow = (present: NatsConnection, server: ServerAddress): Promise<Error> =>
    new Promise((resolve) => {
      // not to be had any more when it has ended
      const learn = () => servers.learn(server, present.info?.connect_urls ?? []);
      learn();
      denials.forget();
      let code = 'ETIMEDOUT';
      const read = async () => {
        for await (const status of present.status() as AsyncIterable<
          Status & { permissionContext?: Denial }
        >) {
          if (status.type === DebugEvents.PingTimer) learn();
          if (status.type === DebugEvents.StaleConnection)
            resolve(Object.assign(new Error('given up'), { code }));
          if (status.type !== Events.Error) continue;
          const denial = status.permissionContext;
          if (denial === undefined) {
            if (typeof status.data === 'string') code = status.data;
            continue;
          }
          metrics.denials.inc({ operation: denial.operation });
          const problem = denials.add(denial);
          if (problem !== undefined) error = problem;
          if (denial.operation === 'publish') for (const listener of publishDenials) listener(denial.subject);
        }
      };
      void read();
    });

  const keepConnected = async () => {
    let retries = 0;
    while (!stopping.signal.aborted) {
      const result = await connectToAny();
      if (result === undefined) retries++;
      else retries = (await hold(result.connection, result.server, result.attempt)) ? 0 : retries + 1;
      await pause(retryDelayMs(limits, retries), stopping.signal);
    }
  };

  return {
    start() {
      running ??= keepConnected();
    },
    current: () => connection,
    onUp(listener) {
      if (connection !== undefined) listener(connection);
      return register(ups, listener);
    },
    onDown: (listener) => register(downs, listener),
    onPublishDenied: (listener) => register(publishDenials, listener),
    status() {
      const status: LinkStatus = { connected: connection !== undefined };
      if (connection !== undefined) status.server = connection.getServer();
      if (error !== undefined) status.error = error;
      if (failedRounds > 0) status.attempts = failedRounds;
      return status;
    },
    async close() {
      stopping.abort();
      if (connection !== undefined) await lastFlush(connection);
      await connection?.close();
      await running;
    },
  };
}

/**
 * Resolves when the server has what was written; rejects when the connection ends before. (The client's own `flush` then
 * stays undecided for ever.)
 */
export function flushed(link: Pick<NatsLink, 'onDown'>, connection: NatsConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const forget = link.onDown(() => reject(new Error('The connection to NATS ended.')));
    connection.flush().then(resolve, reject).finally(forget);
  });
}

/** A broker that hangs must not keep us. */
async function lastFlush(connection: NatsConnection): Promise<void> {
  const enough = new AbortController();
  const limit = pause(LAST_FLUSH_MS, enough.signal);
  await Promise.race([connection.flush().catch(() => undefined), connection.closed(), limit]);
  enough.abort();
}

/** Resolves after a while, or when called off. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

function register<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Spread out, so that replicas do not come back to a broker all at once. */
function retryDelayMs({ retryFirstMs, retryMostMs }: LinkLimits, retries: number): number {
  return Math.min(retryMostMs, retryFirstMs * 2 ** retries) * (0.5 + Math.random() / 2);
}
