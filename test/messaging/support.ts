import { type ConnectionOptions, type NatsConnection, connect } from 'nats';
import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { type StoredEvent, encodeEvents } from '../../src/model/event.js';
import { createCatalogue } from '../../src/model/catalogue.js';
import {
  type Messaging,
  type MessagingDeps,
  type MessagingOptions,
  createMessaging,
} from '../../src/messaging/index.js';
import type { PastEvents } from '../../src/live/index.js';
import type { OutboxEntry, OutboxPosition } from '../../src/storage/index.js';

export const silent = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });

/** An outbox as both keepers promise it: by source and order, so that a walk meets each entry. */
export function createMemoryOutbox() {
  let entries = new Map<string, OutboxEntry>();
  const orders = new Map<string, number>();
  const faults = { clear: false, reads: 0 };
  const keyOf = ({ source, order }: OutboxPosition) => `${source}\0${String(order).padStart(9, '0')}`;
  async function readOutbox(
    limit: number,
    after?: OutboxPosition,
    maxBytes = Infinity,
  ): Promise<OutboxEntry[]> {
    faults.reads++;
    const from = after === undefined ? '' : keyOf(after);
    const keys = [...entries.keys()].filter((key) => key > from).sort();
    const page: OutboxEntry[] = [];
    let bytes = 0;
    for (const key of keys.slice(0, limit)) {
      if (bytes >= maxBytes) break;
      page.push(entries.get(key)!);
      bytes += entries.get(key)!.events.length;
    }
    return page;
  }

  return {
    faults,
    size: () => entries.size,
    /** A change of a source with one event of each kind; payloads say which. */
    commit(source: string, kinds: StoredEvent['kind'][] = ['metadata-updated'], bytes = 0): OutboxEntry {
      const order = (orders.get(source) ?? 0) + 1;
      orders.set(source, order);
      const events = kinds.map((kind): StoredEvent => {
        const event: StoredEvent = { kind, revision: order, payload: Buffer.alloc(bytes, 'x') };
        return kind.startsWith('ep-') ? { ...event, filterId: 'f1' } : event;
      });
      const group = { source, tenant: 't', application: 'a', events };
      const entry = { position: { source, order }, events: encodeEvents(group) };
      entries.set(keyOf(entry.position), entry);
      return entry;
    },
    readOutbox,
    readStoredOutbox: readOutbox,
    async clearOutbox(positions: readonly OutboxPosition[]) {
      if (faults.clear) throw new Error('storage is away');
      for (const position of positions) entries.delete(keyOf(position));
    },
    forget: () => (entries = new Map()),
  };
}

export type MemoryOutbox = ReturnType<typeof createMemoryOutbox>;

export const catalogue = createCatalogue([
  { name: 'app', tenant: 't', versions: ['app-v1', 'app-v2'], metadataInheritance: false },
]);

export interface Started {
  messaging: Messaging;
  metrics: Registry;
  /** the sum of a counter, all labels or those given */
  count: (name: string, labels?: Record<string, string>) => Promise<number>;
}

const nothingKept = async (): Promise<PastEvents> => ({
  total: 0,
  keptSinceMs: undefined,
  next: async () => [],
});

export async function startMessaging(
  t: Test,
  url: string,
  store: MessagingDeps['store'],
  options: Partial<MessagingOptions> = {},
  submit: MessagingDeps['submit'] = async () => [],
  log: Logger = silent,
  listeners: Partial<
    Pick<MessagingDeps, 'kept' | 'onConfiguration' | 'onTenant' | 'answerNow' | 'texts'>
  > = {},
): Promise<Started> {
  const metrics = new Registry();
  const messaging = createMessaging({
    options: { urls: [url], instance: 'epr', replicaId: 'r1', ...options },
    store,
    kept: { past: nothingKept, isShared: false },
    submit,
    catalogue: () => catalogue,
    ...listeners,
    log,
    metrics,
  });
  await messaging.start();
  let stopped: Promise<void> | undefined;
  const once: Messaging = { ...messaging, stop: () => (stopped ??= messaging.stop()) };
  t.teardown(() => once.stop());
  return {
    messaging: once,
    metrics,
    async count(name, labels = {}) {
      const { values } = await metrics.getSingleMetric(name)!.get();
      return values
        .filter((value) => Object.entries(labels).every(([key, label]) => value.labels[key] === label))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
}

export async function connectTo(
  t: Test,
  url: string,
  credentials: Pick<ConnectionOptions, 'user' | 'pass'> = {},
): Promise<NatsConnection> {
  const connection = await connect({
    ...credentials,
    servers: url,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  t.teardown(() => connection.close());
  return connection;
}

/** Resolves when it is so; the test's own time limit ends the wait. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Everything in a stream, in its order. */
export async function readStream(connection: NatsConnection, stream: string) {
  const manager = await connection.jetstreamManager();
  const { messages: total } = (await manager.streams.info(stream)).state;
  const found: { subject: string; messageId: string; headers: Record<string, string[]> }[] = [];
  if (total === 0) return found;
  const consumer = await connection.jetstream().consumers.get(stream);
  const messages = await consumer.fetch({ max_messages: total, expires: 10_000 });
  for await (const { subject, headers } of messages) {
    const record = Object.fromEntries([...(headers ?? [])]);
    found.push({ subject, messageId: headers?.get('Nats-Msg-Id') ?? '', headers: record });
    if (found.length === total) break;
  }
  return found;
}

/** Asserts that ids `<source>.<revision>.<kind>` first appear with revisions 1, 2, ... to `last` for every source. */
export function checkOrder(t: Test, messageIds: readonly string[], sources: number, last: number): void {
  const seen = new Map<string, number>();
  let wrong = 0;
  for (const id of messageIds) {
    const [source, revision] = [id.split('.')[0]!, Number(id.split('.')[1])];
    const known = seen.get(source) ?? 0;
    if (revision === known + 1) seen.set(source, revision);
    else if (revision > known) wrong++;
  }
  t.equal(wrong, 0, 'no first appearance out of order');
  t.equal(seen.size, sources, 'every source');
  t.equal([...seen.values()].filter((revision) => revision === last).length, sources, 'every revision');
}
