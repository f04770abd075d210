import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { PastEvents } from '../live/index.js';
import {
  alreadyUnderWay,
  begunStatus,
  type OwnRepublishing,
  type RepublishStatus,
} from '../model/republishing.js';
import type { RelayLimits } from './options.js';
import type { OutboxRelay } from './outbox-relay.js';
import type { Publisher } from './publisher.js';
import type { StreamMemory } from './jetstream-api.js';
import { createKnownIds, type KnownIds } from './known-ids.js';
import { missingAt, missingBefore } from './republish-missing.js';
import { createRepublishQueue, type RepublishQueue } from './republish-queue.js';
import type { SparingLog } from './sparing-log.js';
import type { Subjects } from './subjects.js';

export interface Republication extends OwnRepublishing {
  /** There may be something to send: the publisher is ready. */
  schedule(): void;
}

export interface RepublicationDeps {
  publisher: Publisher;
  /** why there is no connection */
  connectionError: () => string | undefined;
  relay: Pick<OutboxRelay, 'pause' | 'resume'>;
  /** what is kept of the changes since a time, up to now */
  past: (sinceMs: number) => Promise<PastEvents>;
  /** other processes may write to the same store, and keep their events to themselves */
  isShared: boolean;
  /** what a stream still has and knows; undefined: it can't be asked */
  streamMemory: (stream: string) => Promise<StreamMemory | undefined>;
  subjects: Subjects;
  limits: RelayLimits;
  log: Logger;
  sparing: SparingLog;
  registry: Registry;
}

/**
 * Publishes kept events once more, from a time on to the present, as they were published before: same subjects, same
 * `Nats-Msg-Id`, one source's in order. The relay rests meanwhile, so that nobody gets an old event of an endpoint after a
 * newer one: what was committed until now comes first, then what waits in the outbox. What waits there already is sent
 * twice; the stream drops it.
 */
export function createRepublication(deps: RepublicationDeps): Republication {
  const { publisher, relay, past, isShared, streamMemory, subjects, limits, log, sparing, registry } = deps;
  const metrics = createMetrics(registry, () => current !== undefined);
  let latest: RepublishStatus | undefined;
  let current: { queue: RepublishQueue; ended: Promise<void> } | undefined;

  const start = (sinceMs: number): RepublishStatus => {
    const status = begunStatus({ id: randomUUID(), sinceMs, startedMs: Date.now() });
    const knownIds = createKnownIds(streamMemory);
    const queue = createRepublishQueue({
      publisher,
      connectionError: deps.connectionError,
      subjects,
      limits,
      sparing,
      repeats: knownIds,
      onSent(place) {
        const isRepeat = place?.isRepeat === true;
        status.events.sent++;
        metrics.inc({ result: isRepeat ? 'repeated' : 'sent' });
        if (isRepeat) status.events.repeated++;
      },
      onFailed() {
        status.events.failed++;
        metrics.inc({ result: 'failed' });
      },
      onGroup: () => void status.changes.done++,
    });
    latest = status;
    current = { queue, ended: run(status, queue, knownIds) };
    return status;
  };

  const run = async (status: RepublishStatus, queue: RepublishQueue, knownIds: KnownIds) => {
    try {
      await relay.pause();
      await sendAll(status, queue);
      status.missing = [...status.missing, ...knownIds.missing()];
      status.state = queue.isCancelled ? 'cancelled' : 'done';
    } catch (error) {
      log.error({ err: error }, 'Sending events again failed by a fault of the register.');
      status.state = 'failed';
    }
    await queue.stop();
    status.endedMs = Date.now();
    current = undefined;
    relay.resume();
    const { state, changes, events, missing } = status;
    const isWhole = state === 'done' && missing.length === 0 && events.failed === 0;
    // who cancels it knows
    log[isWhole || state === 'cancelled' ? 'info' : 'warn'](
      { state, changes, events, missing },
      'Sending events again has ended.',
    );
  };

  const sendAll = async (status: RepublishStatus, queue: RepublishQueue) => {
    const kept = await past(status.sinceMs);
    status.changes = { total: kept.total, done: 0 };
    status.missing = missingBefore(status.sinceMs, kept.keptSinceMs, isShared);
    if (kept.keptSinceMs !== undefined) status.keptSinceMs = kept.keptSinceMs;
    log.info({ since: new Date(status.sinceMs), changes: kept.total }, 'Sending events again.');
    for (;;) {
      const items = await kept.next();
      if (items.length === 0 || queue.isCancelled) break;
      for (const item of items) {
        if (item.kind === 'gap') status.missing = [...status.missing, missingAt(item)];
        else queue.add(item.number, item.events);
      }
      await queue.room();
    }
    await queue.empty();
  };

  return {
    start(sinceMs) {
      if (current === undefined) return start(sinceMs);
      return alreadyUnderWay(latest!);
    },
    status() {
      const waiting = current?.queue.waiting();
      return latest === undefined || waiting === undefined ? latest : { ...latest, waiting };
    },
    async cancel() {
      current?.queue.cancel();
      await current?.ended;
    },
    schedule: () => current?.queue.schedule(),
  };
}

function createMetrics(registry: Registry, isRunning: () => boolean): Counter<'result'> {
  const registers = [registry];
  new Gauge({
    name: 'epr_republishing',
    help: '1 while events are sent again; the relay rests then.',
    registers,
    collect() {
      this.set(isRunning() ? 1 : 0);
    },
  });
  return new Counter({
    name: 'epr_events_republished_total',
    help: 'Events that were sent again, by result: sent, repeated (the stream had it), failed (given up).',
    labelNames: ['result'],
    registers,
  });
}
