import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { type StoredEvent, messageIdOf } from '../model/event.js';
import type { EventSink } from '../register/index.js';
import type { Store } from '../storage/index.js';
import type { NatsLink } from './connection.js';
import type { RelayLimits } from './options.js';
import { createOutboxClearer } from './outbox-clearer.js';
import { createOutboxFeed } from './outbox-feed.js';
import { type OutgoingMessage, type PublishFailure, createPublisher } from './publisher.js';
import { type Backlog, createRelayMetrics } from './relay-metrics.js';
import { type Source, createSourceQueues } from './source-queues.js';
import type { Subjects } from './subjects.js';

export interface OutboxRelay {
  sink: EventSink;
  start(): void;
  backlog(): Backlog;
  /** Publishes what is in memory, within a time limit, and clears it. What is left is found at the next start. */
  stop(): Promise<void>;
}

export interface OutboxRelayDeps {
  link: NatsLink;
  store: Pick<Store, 'readOutbox' | 'clearOutbox'>;
  subjects: Subjects;
  limits: RelayLimits;
  /** done on each connection before anything is published; false: try again in a second */
  prepare: (connection: NatsConnection) => Promise<boolean>;
  log: Logger;
  registry: Registry;
}

const RETRY_FIRST_MS = 100;
const RETRY_MOST_MS = 5_000;
const EMPTY = new Uint8Array(0);

/**
 * Publishes the outbox: many sources at once, each source's events one after the other, the next only when the former is
 * certain. So the first appearances of a source's events are in the order of its revisions, whatever fails. What fails is
 * sent again with the same `Nats-Msg-Id`, for ever. An event that can never be published (it is larger than the server or
 * the stream takes) goes to `kaa.v1.dead-letter.{epr}.events` as an empty message whose headers say what and why, since
 * otherwise it would hold back its source for good.
 */
export function createOutboxRelay({
  link,
  store,
  subjects,
  limits,
  prepare,
  log,
  registry,
}: OutboxRelayDeps): OutboxRelay {
  const queues = createSourceQueues();
  const retries = new Set<NodeJS.Timeout>();
  let inFlight = 0;
  let scheduled = false;
  let stopped = false;
  let idle: (() => void) | undefined;

  const publisher = createPublisher({
    link,
    log,
    subjects: [subjects.allEvents, subjects.deadEvents],
    ackTimeoutMs: limits.ackTimeoutMs,
    prepare,
    onReady: () => schedule(),
  });
  const feed = createOutboxFeed({ store, queues, log, limits, onTaken: () => schedule() });
  const clearer = createOutboxClearer({ store, log, onCleared: (position) => queues.cleared(position) });
  const backlog = (): Backlog => {
    const oldestMs = queues.oldestMs();
    const oldestAgeMs = oldestMs === undefined ? 0 : performance.now() - oldestMs;
    return { inMemory: queues.entries(), inStore: feed.missed(), oldestAgeMs };
  };
  const metrics = createRelayMetrics(registry, backlog);

  /** After what is at hand now: acknowledgements and commits come many at a time, and callers are answered first. */
  const schedule = () => {
    if (scheduled || stopped) return;
    scheduled = true;
    setImmediate(send);
  };

  const send = () => {
    scheduled = false;
    while (!stopped && inFlight < limits.maxInFlight && publisher.ready()) {
      const source = queues.nextReady();
      if (source === undefined) break;
      sendPresent(source);
    }
    feed.drained();
    if (queues.entries() === 0) idle?.();
  };

  const sendPresent = (source: Source) => {
    let event: StoredEvent;
    try {
      event = queues.present(source);
    } catch (error) {
      const position = queues.discard(source);
      metrics.dead.inc({ reason: 'damaged' });
      log.error(
        { source: source.id, order: position.order, error: (error as Error).message },
        'A stored outbox entry is damaged and was given up.',
      );
      clearer.add(position);
      return;
    }
    inFlight++;
    publisher.publish(messageOf(source, event), (failure, repeated) => {
      inFlight--;
      if (failure === undefined) succeeded(source, event, repeated);
      else failed(source, event, failure);
      schedule();
    });
  };

  const messageOf = (source: Source, event: StoredEvent): OutgoingMessage => {
    const subject = subjects.ofEvent(source.id, event);
    const id = ['Nats-Msg-Id', messageIdOf(source.id, event)] as const;
    if (source.dead === undefined) return { subject, headers: [id], payload: event.payload };
    return {
      subject: subjects.deadEvents,
      headers: [id, ['Original-Subject', subject], ['Error', source.dead]],
      payload: EMPTY,
    };
  };

  const succeeded = (source: Source, event: StoredEvent, repeated: boolean) => {
    if (repeated) metrics.repeated.inc();
    if (source.dead === undefined) metrics.published.inc({ kind: event.kind });
    const finished = queues.advance(source);
    if (finished !== undefined) clearer.add(finished);
  };

  const failed = (source: Source, event: StoredEvent, { reason, detail }: PublishFailure) => {
    const about = {
      subject: subjects.ofEvent(source.id, event),
      messageId: messageIdOf(source.id, event),
      reason,
      detail,
    };
    if (reason === 'too-large') {
      metrics.dead.inc({ reason });
      if (source.dead === undefined) {
        log.error(about, 'An event can never be published: dead letter.');
        source.dead = detail;
        queues.offer(source);
      } else {
        log.error(about, 'Not even the dead letter of an event can be published; it was given up.');
        succeeded(source, event, false);
      }
      return;
    }
    metrics.failed.inc({ reason });
    if (reason === 'disconnected') return queues.offer(source);
    source.attempts++;
    // one line for a start, then ever fewer
    if ((source.attempts & (source.attempts - 1)) === 0 && source.attempts >= 2)
      log.warn({ ...about, attempts: source.attempts }, 'An event is not published yet; trying again.');
    const delayMs =
      Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (source.attempts - 1)) * (0.5 + Math.random() / 2);
    const timer = setTimeout(() => {
      retries.delete(timer);
      queues.offer(source);
      schedule();
    }, delayMs);
    retries.add(timer);
  };

  return {
    sink: { committed: (entries) => feed.committed(entries), doubt: () => feed.doubt() },
    start() {
      publisher.start();
      feed.start();
    },
    backlog,
    async stop() {
      await feed.stop();
      if (queues.entries() > 0 && publisher.ready()) {
        await new Promise<void>((resolve) => {
          const limit = setTimeout(resolve, limits.stopMs);
          idle = () => {
            clearTimeout(limit);
            resolve();
          };
          schedule();
        });
      }
      stopped = true;
      for (const timer of retries) clearTimeout(timer);
      publisher.stop();
      await clearer.stop();
    },
  };
}
