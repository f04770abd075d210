import type { Logger } from 'pino';
import { decodeEvents, messageIdOf } from '../model/event.js';
import type { EventSink } from '../register/index.js';
import type { OutboxPosition, Store } from '../storage/index.js';

/** Takes committed events where there is no broker: they go to the log (level debug), and the outbox is cleared. */
export interface NoBroker extends EventSink {
  /** Clears what a former process, with or without a broker, left; it can reach nobody any more. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createNoBroker(store: Pick<Store, 'readOutbox' | 'clearOutbox'>, log: Logger): NoBroker {
  let waiting: OutboxPosition[] = [];
  let clearing: Promise<void> | undefined;

  /** One clear at a time; what comes meanwhile is the next. */
  async function clear(): Promise<void> {
    while (waiting.length > 0) {
      const positions = waiting;
      waiting = [];
      await store.clearOutbox(positions).catch((error: unknown) => {
        // harmless: the next start clears it
        log.warn({ err: error, entries: positions.length }, 'the outbox could not be cleared');
      });
    }
    clearing = undefined;
  }

  return {
    committed(entries) {
      for (const entry of entries) waiting.push(entry.position);
      if (log.isLevelEnabled('debug')) {
        for (const { source, events } of entries.map((entry) => decodeEvents(entry.events))) {
          for (const event of events) log.debug({ messageId: messageIdOf(source, event) }, 'event');
        }
      }
      clearing ??= clear();
    },
    doubt() {
      // what is left unknown is cleared at the next start
    },
    async start() {
      for (;;) {
        const left = await store.readOutbox(1000);
        if (left.length === 0) return;
        await store.clearOutbox(left.map((entry) => entry.position));
      }
    },
    async stop() {
      await clearing;
    },
  };
}
