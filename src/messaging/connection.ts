import { readFile } from 'node:fs/promises';
import {
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
  Events,
  type Status,
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from 'nats';
import type { Logger } from 'pino';
import type { MessagingOptions } from './options.js';

/** A connection that comes and goes, and comes again for ever until it is closed. */
export interface NatsLink {
  /** begins to connect, in the background */
  start(): void;
  /** the connection, while there is one */
  current(): NatsConnection | undefined;
  /** each time a connection is there (again); called at once when there is one. Returns the way to unsubscribe. */
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
  /** why the last attempt failed, or the last connection ended */
  error?: string;
}

export function createNatsLink(options: MessagingOptions, log: Logger): NatsLink {
  const ups = new Set<(connection: NatsConnection) => void>();
  const downs = new Set<() => void>();
  const denials = new Set<(subject: string) => void>();
  const stopping = new AbortController();
  let connection: NatsConnection | undefined;
  let connected = false;
  let error: string | undefined;
  let running: Promise<void> | undefined;

  const setConnected = (up: boolean) => {
    if (up === connected) return;
    connected = up;
    if (up) {
      error = undefined;
      log.info({ server: connection?.getServer() }, 'Connected to NATS.');
      for (const listener of ups) listener(connection!);
    } else {
      if (!stopping.signal.aborted) log.warn('The connection to NATS is lost; trying again.');
      for (const listener of downs) listener();
    }
  };

  const follow = async (present: NatsConnection) => {
    for await (const status of present.status() as AsyncIterable<Status & { permissionContext?: Denial }>) {
      if (status.type === Events.Disconnect) setConnected(false);
      else if (status.type === Events.Reconnect) setConnected(true);
      else if (status.type === Events.Error) {
        error = JSON.stringify(status.data);
        const denial = status.permissionContext;
        log.warn({ error, ...denial }, 'NATS reports an error.');
        if (denial?.operation === 'publish') for (const listener of denials) listener(denial.subject);
      }
    }
  };

  /** Of our own for the first connection, since the client's way to wait for it can't be called off. */
  const keepConnected = async () => {
    while (!stopping.signal.aborted) {
      try {
        connection = await connectToAny(await connectionOptions(options), options.urls);
        if (stopping.signal.aborted) return await connection.close();
        void follow(connection);
        setConnected(true);
        const reason = await connection.closed();
        if (reason) error = reason.message;
      } catch (caught) {
        const message = (caught as Error).message;
        if (message !== error)
          log.warn({ error: message }, 'NATS is not reached; trying again in the background.');
        error = message;
      }
      setConnected(false);
      connection = undefined;
      await pause(reconnectDelayMs(), stopping.signal);
    }
  };

  return {
    start() {
      running ??= keepConnected();
    },
    current: () => (connected ? connection : undefined),
    onUp(listener) {
      if (connected) listener(connection!);
      return register(ups, listener);
    },
    onDown: (listener) => register(downs, listener),
    onPublishDenied: (listener) => register(denials, listener),
    status() {
      const status: LinkStatus = { connected };
      if (connected) status.server = connection!.getServer();
      if (error !== undefined) status.error = error;
      return status;
    },
    async close() {
      stopping.abort();
      if (connected) await connection!.flush().catch(() => undefined);
      await connection?.close();
      await running;
    },
  };
}

interface Denial {
  operation: string;
  subject: string;
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
function reconnectDelayMs(): number {
  return 250 + Math.random() * 1_250;
}

/**
 * The client forgets every URL that fails before its first connection, and would never go back to a server that was away
 * at the start. So it is given one that answers as the first.
 */
async function connectToAny(options: ConnectionOptions, urls: readonly string[]): Promise<NatsConnection> {
  const order = urls.map((url) => ({ url, by: Math.random() })).sort((a, b) => a.by - b.by);
  let failure: unknown;
  for (const { url } of order) {
    const others = urls.filter((other) => other !== url);
    try {
      if (others.length > 0) await (await connect({ ...options, servers: [url] })).close();
      return await connect({ ...options, servers: [url, ...others], noRandomize: true });
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function connectionOptions(options: MessagingOptions): Promise<ConnectionOptions> {
  const { tls } = options;
  const result: ConnectionOptions = {
    name: `${options.instance}/${options.replicaId}`,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: reconnectDelayMs,
    // a secret that is being rotated must not end the service's connection for good
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    timeout: 5_000,
    pingInterval: 10_000,
    maxPingOut: 2,
    authenticator: await authenticators(options),
  };
  if (tls) {
    result.tls = {
      ...(tls.caFile !== undefined && { caFile: tls.caFile }),
      ...(tls.certFile !== undefined && { certFile: tls.certFile }),
      ...(tls.keyFile !== undefined && { keyFile: tls.keyFile }),
    };
  }
  return result;
}

async function authenticators(options: MessagingOptions): Promise<Authenticator[]> {
  const found: Authenticator[] = [];
  if (options.credentialsFile !== undefined)
    found.push(credsAuthenticator(await readFile(options.credentialsFile)));
  if (options.nkeySeedFile !== undefined) {
    const seed = (await readFile(options.nkeySeedFile, 'utf8')).trim();
    found.push(nkeyAuthenticator(new TextEncoder().encode(seed)));
  }
  if (options.token !== undefined) found.push(tokenAuthenticator(options.token));
  if (options.username !== undefined)
    found.push(usernamePasswordAuthenticator(options.username, options.password));
  return found;
}
