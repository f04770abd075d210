import { connect, type Socket } from 'node:net';
import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { type Gateway, type GatewayDeps, type GatewayLimits, startGateway } from '../../src/gateway/index.js';
import { type LiveEventLog, openLiveEvents } from '../../src/live/index.js';
import { createMessaging } from '../../src/messaging/index.js';
import { type Catalogue, createCatalogue } from '../../src/model/catalogue.js';
import type { Command } from '../../src/model/command.js';
import { type RunningRegister, createRegister } from '../../src/register/index.js';
import { openAccess } from '../../src/security/index.js';
import { openStore, type Store } from '../../src/storage/index.js';
import { createWorkerPool } from '../../src/workers/index.js';

export const limits: GatewayLimits = {
  bodyBytes: 256 * 1024,
  nesting: 32,
  metadataKeys: 50,
  metadataKeyPattern: '^[a-zA-Z0-9_]+$',
  pageDefault: 1000,
  pageMax: 10_000,
  batchItems: 1000,
  metadataBatchItems: 10_000,
  ndjsonLineBytes: 64 * 1024,
};

export interface Harness {
  gateway: Gateway;
  register: RunningRegister;
  store: Store;
  live: LiveEventLog;
  /** `http://127.0.0.1:<port>` */
  origin: string;
  managementOrigin: string;
  stop(): Promise<void>;
  /** lines that were logged at `warn` and above */
  logged: string[];
  /** a GET of a path as it stands */
  get(path: string): Promise<Answer>;
  /** a request under `/api/v1`; a body that is no text is sent as JSON */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** the body parsed, or `undefined` when there is none */
  json: any; // eslint-disable-line @typescript-eslint/no-explicit-any
}

const APPLICATIONS = createCatalogue([
  { name: 'kettle', tenant: 'kaa', versions: ['kettle-v1', 'kettle-v2'], metadataInheritance: false },
  // of the document's examples, as a register without configuration has it
  { name: 'demo', tenant: 'kaa', versions: ['demo-v1', 'demo-v2'], metadataInheritance: false },
  { name: 'other', tenant: 'kaa', versions: ['other-v1'], metadataInheritance: false },
  { name: 'heir', tenant: 'kaa', versions: ['heir-v1'], metadataInheritance: true },
]);

/** A gateway on the real register with the embedded store in a temporary folder, stopped when the test ends. */
export async function startHarness(
  t: Test,
  change: Partial<GatewayDeps['options']> & {
    access?: GatewayDeps['access'];
    signIn?: GatewayDeps['signIn'];
    wrap?: (register: RunningRegister) => RunningRegister;
    /** read whenever they are needed */
    settings?: { queueLimit: number };
    /** asked whenever they are needed */
    changeLimits?: (limits: GatewayLimits) => GatewayLimits;
    /** of the data; one of its own unless given */
    folder?: string;
    /** of what is kept for who resumes */
    recentBytes?: number;
    catalogue?: Catalogue;
  } = {},
): Promise<Harness> {
  const {
    access = openAccess(),
    signIn,
    wrap = (register) => register,
    settings = { queueLimit: 20_000 },
    changeLimits = (unchanged) => unchanged,
    folder = `${t.testdir()}/data`,
    recentBytes = 64 * 1024 * 1024,
    catalogue = APPLICATIONS,
    ...options
  } = change;
  const logged: string[] = [];
  const log: Logger = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
  const metrics = new Registry();
  const store = await openStore({ url: `file:${folder}`, durability: 'async' });
  const live = await openLiveEvents({
    folder: `${folder}/live-events`,
    store,
    bounds: () => ({ bytes: recentBytes, ageMs: 3_600_000 }),
    log,
    metrics,
  });
  const pool = createWorkerPool(1);
  const register = await createRegister({
    store,
    pool,
    sink: { committed: () => undefined, doubt: () => undefined },
    live,
    catalogue: () => catalogue,
    settings: () => ({
      limits: {
        metadataKeys: limits.metadataKeys,
        endpointBytes: 100 * 1024,
        metadataKeyPattern: limits.metadataKeyPattern,
        nesting: limits.nesting,
        restrictedKeys: ['locked'],
      },
      originatorReplicaId: 'test',
      metadataOnRegistration: false,
      withEvents: true,
      queueLimit: settings.queueLimit,
      filters: { maxDepth: 32, maxConditions: 1000, maxPatternBytes: 1024, filtersPerApplication: 100 },
      batchTaskRetentionMs: 60_000,
    }),
    log,
    metrics,
  });
  // it is not started: what is to be sent again waits for a broker
  const messaging = createMessaging({
    options: { urls: ['nats://127.0.0.1:1'], instance: 'epr', replicaId: 'test' },
    store,
    kept: { past: (sinceMs) => live.past(sinceMs), isShared: false },
    submit: async () => [],
    catalogue: () => catalogue,
    log,
    metrics: new Registry(),
  });
  const gateway = await startGateway({
    register: wrap(register),
    access,
    ...(signIn === undefined ? {} : { signIn }),
    options: {
      host: '127.0.0.1',
      port: 0,
      managementHost: '127.0.0.1',
      managementPort: 0,
      pathPrefixes: ['', '/epr'],
      limits: () => changeLimits(limits),
      ...options,
    },
    log,
    metrics,
    republishing: messaging.republishing,
    health: async () => ({ components: { storage: { status: 'UP' } } }),
  });
  let stopped: Promise<void> | undefined;
  const stop = () =>
    (stopped ??= (async () => {
      await gateway.stop(2000);
      await messaging.republishing.cancel();
      await register.stop();
      await live.close();
      await pool.close();
      await store.close();
    })());
  t.teardown(stop);
  const origin = `http://127.0.0.1:${gateway.port}`;
  return {
    gateway,
    register,
    store,
    live,
    stop,
    origin,
    managementOrigin: `http://127.0.0.1:${gateway.managementPort}`,
    logged,
    get: (path) => request(origin + path, 'GET'),
    call: (method, path, body, headers) => request(`${origin}/api/v1${path}`, method, body, headers),
  };
}

export async function request(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init: RequestInit = { method, headers };
  if (body !== undefined) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    init.body = raw ? (body as string) : JSON.stringify(body);
    init.headers = { 'content-type': 'application/json', ...headers };
  }
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text === '' ? undefined : parse(text),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Commands wait in front of the register until they are released: those that `holds` says, all unless given. */
export interface HeldSubmits {
  /** for {@link startHarness} */
  wrap: (register: RunningRegister) => RunningRegister;
  release: () => void;
  /** commands that came and were held */
  count(): number;
  /** resolves when so many came */
  arrived(commands?: number): Promise<void>;
}

export function holdSubmits(holds: (command: Command) => boolean = () => true): HeldSubmits {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  let count = 0;
  const waiting = new Set<() => void>();
  return {
    wrap: (register) => ({
      ...register,
      endpoints: {
        ...register.endpoints,
        submit: async (command) => {
          if (holds(command)) {
            count++;
            for (const check of waiting) check();
            await released;
          }
          return register.endpoints.submit(command);
        },
      },
    }),
    release,
    count: () => count,
    arrived: (commands = 1) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (count < commands) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

/** A bare connection: what is written is what is sent. */
export interface RawConnection {
  socket: Socket;
  send(text: string | Uint8Array): void;
  /** all that was received so far */
  received(): string;
  /** resolves when what was received matches; rejects when the connection closes first */
  until(pattern: RegExp): Promise<string>;
  /** resolves when the other side has closed */
  closed: Promise<void>;
}

export function openRaw(t: Test, port: number): RawConnection {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  const waiting = new Set<() => void>();
  let ended = false;
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (const check of waiting) check();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  void closed.then(() => {
    ended = true;
    for (const check of waiting) check();
  });
  t.teardown(() => socket.destroy());
  return {
    socket,
    send: (part) => void socket.write(part),
    received: () => text,
    closed,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (pattern.test(text)) resolve(text);
          else if (ended) reject(new Error(`The connection closed before ${pattern}; received: ${text}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

export async function registerKettle(
  harness: Harness,
  endpointId: string,
  metadata: object = {},
): Promise<void> {
  const answer = await harness.call('POST', '/endpoints', {
    appVersion: { name: 'kettle-v1' },
    endpointId,
    metadata,
  });
  if (answer.status !== 201) throw new Error(`Registration answered ${answer.status}: ${answer.text}`);
}
