import type { Registry } from 'prom-client';
import type { EventSink } from '../register/index.js';
import type { OutboxToPublish } from '../storage/index.js';
import { createActivationFence } from './activation-fence.js';
import { createEventSender } from './event-sender.js';
import type { RelayLimits } from './options.js';
import { createOutboxClearer } from './outbox-clearer.js';
import { createOutboxFeed } from './outbox-feed.js';
import type { Publisher } from './publisher.js';
import { type Backlog, createRelayMetrics } from './relay-metrics.js';
import { createSourceQueues } from './source-queues.js';
import type { SparingLog } from './sparing-log.js';
import type { Subjects } from './subjects.js';

export interface OutboxRelay {
  sink: EventSink;
  start(): void;
  /** There may be something to send: the publisher is ready. */
  schedule(): void;
  backlog(): Backlog;
  /** why events wait, as the last attempt was answered */
  problem(): string | undefined;
  /** Publishes nothing until `resume`; resolves when nothing is under way. What is committed meanwhile waits. */
  pause(): Promise<void>;
  resume(): void;
  /** Publishes what is in memory, within a time limit, and clears it. What is left is found at the next start. */
  stop(): Promise<void>;
}

export interface OutboxRelayDeps {
  publisher: Publisher;
  store: OutboxToPublish;
  subjects: Subjects;
  /** where several replicas publish: whether a source is this one's; absent: all are */
  owns?: (source: string) => boolean;
  limits: RelayLimits;
  sparing: SparingLog;
  registry: Registry;
}

const HELD =
  'The events stream drops events that must come again behind older ones, as it still knows their Nats-Msg-Ids. They wait until its duplicate_window has passed, ten minutes at the most.';

/** Publishes the outbox, and lets the store forget what is published for certain. */
export function createOutboxRelay({
  publisher,
  store,
  subjects,
  owns,
  limits,
  sparing,
  registry,
}: OutboxRelayDeps): OutboxRelay {
  const queues = createSourceQueues();
  const fence = createActivationFence({ store, sparing });
  let idle: (() => void) | undefined;
  /** since a pause, until nothing waits: others may have published what waits, and a stream have forgotten some of it */
  let isBehindOthers = false;
  /** where a stream took the last event that it had not got before */
  let newestSeq = 0;

  const feed = createOutboxFeed({
    store,
    queues,
    sparing,
    limits,
    kept: () => fence.kept(),
    ...(owns === undefined ? {} : { owns }),
    onTaken: () => sender.schedule(),
  });
  const clearer = createOutboxClearer({
    store,
    sparing,
    onCleared(position) {
      queues.cleared(position);
      sender.schedule();
    },
  });
  /** What is kept behind others is for the next start: it may take long. */
  const isIdle = () => queues.entries() === fence.kept();
  const backlog = (): Backlog => {
    const oldestMs = queues.oldestMs();
    const oldestAgeMs = oldestMs === undefined ? 0 : performance.now() - oldestMs;
    const aside = feed.aside();
    return {
      inMemory: queues.entries() + aside.entries,
      bytesInMemory: queues.bytes() + aside.bytes,
      inStore: feed.missed(),
      oldestAgeMs,
    };
  };
  const metrics = createRelayMetrics(registry, backlog);
  const sender = createEventSender({
    queues,
    fence: {
      keepBehind: (position, passed) =>
        fence.keepBehind(position, () => passed(isBehindOthers ? newestSeq : 0)),
    },
    publisher,
    subjects,
    maxInFlight: limits.maxInFlight,
    counts: {
      published({ kind }, place) {
        if (place?.isRepeat === true) metrics.repeated.inc();
        else if (place !== undefined) newestSeq = place.seq;
        metrics.published.inc({ kind });
      },
      failed: (reason) => metrics.failed.inc({ reason }),
      dead: (reason) => metrics.dead.inc({ reason }),
    },
    sparing,
    // a store that can't forget is not to be held in memory instead
    mayTake: () => clearer.waiting() < limits.maxEntries,
    onFinished: (position) => clearer.add(position),
    onTurn() {
      feed.drained();
      if (queues.entries() === 0) isBehindOthers = false;
      if (isIdle()) idle?.();
    },
  });

  return {
    sink: { committed: (entries) => feed.committed(entries), doubt: () => feed.doubt() },
    start: () => feed.start(),
    schedule: () => sender.schedule(),
    backlog,
    problem: () =>
      queues.entries() === 0 ? undefined : (sender.problem() ?? (sender.held() > 0 ? HELD : undefined)),
    pause: () => sender.pause(),
    resume() {
      isBehindOthers = true;
      sender.resume();
    },
    async stop() {
      await feed.stop();
      if (!isIdle() && publisher.ready()) {
        await new Promise<void>((resolve) => {
          const limit = setTimeout(resolve, limits.stopMs);
          idle = () => {
            clearTimeout(limit);
            resolve();
          };
          sender.schedule();
        });
      }
      fence.stop();
      sender.stop();
      await clearer.stop();
    },
  };
}
