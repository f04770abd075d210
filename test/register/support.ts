import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { parseQuery } from '../../src/filters/index.js';
import { openLiveEvents } from '../../src/live/index.js';
import { createCatalogue } from '../../src/model/catalogue.js';
import type { Command, Wish } from '../../src/model/command.js';
import { decodeEvents, type EventGroup } from '../../src/model/event.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import type { Answer, Outcome } from '../../src/model/outcome.js';
import { decodeRecord, metadataOf } from '../../src/model/record.js';
import {
  createRegister,
  type EndpointResources,
  type FilterView,
  type RegisterSettings,
  type RunningRegister,
  type TokenIssuer,
} from '../../src/register/index.js';
import { createReplicas, fenceStore } from '../../src/replicas/index.js';
import { openStore, type Store } from '../../src/storage/index.js';
import { createWorkerPool, type ThreadKind } from '../../src/workers/index.js';
import { WORKER_SETTINGS } from '../workers/support.js';

export const SETTINGS: RegisterSettings = {
  ...WORKER_SETTINGS,
  limits: { ...WORKER_SETTINGS.limits, endpointBytes: 100_000, nesting: 32, metadataKeys: 100 },
  queueLimit: 10_000,
  filters: { maxDepth: 32, maxConditions: 1000, maxPatternBytes: 1024, filtersPerApplication: 50 },
  batchTaskRetentionMs: 60_000,
};

const catalogueOf = (metadataInheritance: boolean) =>
  createCatalogue([
    { name: 'app', tenant: 'kaa', versions: ['v1', 'v2'], metadataInheritance },
    { name: 'other', tenant: 'acme', versions: ['w1'], metadataInheritance },
  ]);

/** Long: a busy machine is not what is tried here. */
const REPLICA_VALID_MS = 10_000;

export const CONTEXT = { correlationId: 'test' };

export interface Running {
  register: RunningRegister;
  store: Store;
  metrics: Registry;
  /** what was committed, in the order in which it was told */
  events: EventGroup[];
  /** how often it was told that the outbox may hold more than that */
  doubts: () => number;
  /** with `replica`: those that it knows to be alive */
  replicas: () => readonly string[];
  /** stops it all and starts it again on the same folder; `wrap` as in {@link start} */
  restart(options?: StartOptions): Promise<Running>;
  stop(): Promise<void>;
}

export interface StartOptions {
  settings?: Partial<RegisterSettings>;
  /** what stands between the register and the store */
  wrap?: (store: Store) => Store;
  now?: () => number;
  /** whether it goes on with what is left; true unless said */
  resume?: boolean;
  threads?: number;
  /** whether the applications inherit metadata */
  inherits?: boolean;
  /** small batches computed without a thread; not unless it is wished, so that the threads are tried */
  inPlace?: boolean;
  /** in the place of the real worker */
  thread?: ThreadKind;
  log?: Logger;
  /** of tokens; the register itself unless given */
  issuer?: TokenIssuer;
  /** what endpoints have elsewhere; nothing unless given */
  resources?: EndpointResources;
  /** of MongoDB; the embedded store in the folder unless given */
  storageUrl?: string;
  /** its id, where several share the storage */
  replica?: string;
}

/** A register on the embedded store in a folder of its own, with real workers. */
export async function start(t: Test, options: StartOptions = {}): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'epr-register-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return startIn(t, folder, options);
}

export async function startIn(
  t: Pick<Test, 'teardown'>,
  folder: string,
  options: StartOptions,
): Promise<Running> {
  const opened = await openStore({
    url: options.storageUrl ?? `file:${folder}`,
    durability: 'async',
  });
  const { replication } = opened;
  const replicas =
    options.replica === undefined || replication === undefined
      ? undefined
      : await createReplicas({
          replication,
          id: options.replica,
          log: pino({ level: 'silent' }),
          metrics: new Registry(),
          validMs: REPLICA_VALID_MS,
        });
  const store = replicas === undefined ? opened : fenceStore(opened, replicas);
  const pool = createWorkerPool(options.threads ?? 2, {
    inPlace: options.inPlace ?? false,
    ...(options.thread === undefined ? {} : { thread: options.thread }),
  });
  const events: EventGroup[] = [];
  let doubts = 0;
  const settings = { ...SETTINGS, ...options.settings };
  const catalogue = catalogueOf(options.inherits ?? false);
  const metrics = new Registry();
  const live = await openLiveEvents({
    // without numbers of its entries: in memory
    store: { readOutbox: (limit, after) => store.readOutbox(limit, after) },
    bounds: () => ({ bytes: 1024 ** 2, ageMs: 60_000 }),
    log: pino({ level: 'silent' }),
    metrics,
  });
  const register = await createRegister({
    live,
    store: options.wrap?.(store) ?? store,
    ...(replicas === undefined ? {} : { replicas }),
    pool,
    sink: {
      committed: (entries) => events.push(...entries.map((entry) => decodeEvents(entry.events))),
      doubt: () => doubts++,
    },
    catalogue: () => catalogue,
    settings: () => settings,
    log: options.log ?? pino({ level: 'silent' }),
    metrics,
    ...(options.now === undefined ? {} : { now: options.now }),
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    ...(options.resources === undefined ? {} : { resources: options.resources }),
  });
  if (options.resume !== false) await register.resume();
  let stopped: Promise<void> | undefined;
  const stop = () =>
    (stopped ??= (async () => {
      await register.stop();
      await live.close();
      await pool.close();
      await replicas?.stop();
      await store.close();
    })());
  t.teardown(stop);
  return {
    register,
    store,
    metrics,
    events,
    doubts: () => doubts,
    replicas: () => replicas?.live() ?? [],
    stop,
    async restart(next = {}) {
      await stop();
      return startIn(t, folder, next);
    },
  };
}

export function command(endpointId: string, wish: Wish): Command {
  return { endpointId, correlationId: 'test', timestampMs: Date.now(), ...wish };
}

export function set(endpointId: string, key: string, value: JsonValue): Command {
  return command(endpointId, { type: 'set-key', key, valueText: JSON.stringify(value) });
}

/** Registers endpoints, each with its metadata. */
export async function fill(
  t: Test,
  { register }: Running,
  endpoints: Record<string, JsonObject>,
): Promise<void> {
  const answers = await Promise.all(
    Object.entries(endpoints).map(([endpointId, metadata]) =>
      register.endpoints.register(CONTEXT, { endpointId, versionName: 'v1', metadata }),
    ),
  );
  t.same([...new Set(answers.map(({ kind }) => kind))], ['ok'], `${answers.length} endpoints are registered`);
}

/** `temp` of 0 to 39, again and again. */
export function fleet(count: number): Record<string, JsonObject> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`e${i}`, { temp: i % 40 }]));
}

export const HOT: JsonObject = { metadata: { $elemMatch: { key: 'temp', value: { $gte: 20 } } } };
export const COLD: JsonObject = { metadata: { $elemMatch: { key: 'temp', value: { $lt: 20 } } } };

export function codeOf(answer: Answer<unknown> | Outcome): string {
  return 'code' in answer ? answer.code : answer.kind;
}

export function valueOf<T>(answer: Answer<T>): T {
  if (answer.kind !== 'ok') throw new Error(`${answer.code}: ${answer.message}`);
  return answer.value;
}

export async function createFilter(
  { register }: Running,
  name: string,
  mongoQuery: JsonValue,
): Promise<FilterView> {
  return valueOf(await register.filters.create(CONTEXT, 'app', { name, description: '', mongoQuery }));
}

/** Resolves when a condition holds; the test's own time limit ends it else. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function untilActive(running: Running, id: string): Promise<FilterView> {
  for (;;) {
    const view = valueOf(await running.register.filters.get(CONTEXT, 'app', id));
    if (view.filter.status === 'active') return view;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export async function membersOf({ store }: Running, filterNumber: number): Promise<string[]> {
  const page = await store.find({
    scope: { application: 'app', filterNumber },
    sort: { by: 'endpointId', direction: 'asc' },
    offset: 0,
    limit: 100_000,
    withTotal: true,
  });
  const ids = page.records.map((record) => decodeRecord(record).head.endpointId);
  if (page.total !== ids.length) throw new Error(`${page.total} are counted, ${ids.length} are listed`);
  return ids.sort();
}

/** What a fresh query over all records of the application finds. */
export async function freshMembers({ store }: Running, query: JsonObject): Promise<string[]> {
  const parsed = parseQuery(query);
  if (!parsed.ok) throw new Error('not a query');
  const { records } = await store.find({
    scope: { application: 'app' },
    sort: { by: 'endpointId', direction: 'asc' },
    offset: 0,
    limit: 100_000,
    withTotal: false,
  });
  return records
    .filter((record) => {
      const { head } = decodeRecord(record);
      return parsed.query.matches({
        endpointId: head.endpointId,
        applicationVersion: head.version,
        metadata: metadataOf(record),
      });
    })
    .map((record) => decodeRecord(record).head.endpointId)
    .sort();
}

/** All stored outbox entries, decoded. */
export async function outboxOf({ store }: Running): Promise<EventGroup[]> {
  return (await store.readOutbox(1_000_000)).map((entry) => decodeEvents(entry.events));
}

/** Kinds of a filter's own events, in order. */
export function filterEvents(groups: readonly EventGroup[], id: string): string[] {
  return groups
    .filter(({ source }) => source === id)
    .flatMap(({ events }) => events.map(({ kind, revision }) => `${kind} ${revision}`));
}
