import type { Logger } from 'pino';
import { decodeEvents, type EventGroup } from '../model/event.js';
import type { OutboxEntry } from '../storage/index.js';
import type { EventSink, LiveEvents } from './types.js';

/** Hands committed events to whoever watches. Decodes nothing while nobody does. */
export function createLiveEvents(log: Logger): LiveEvents & Pick<EventSink, 'committed'> {
  const listeners = new Set<(group: EventGroup) => void>();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    committed(entries: readonly OutboxEntry[]) {
      if (listeners.size === 0) return;
      for (const entry of entries) {
        const group = decodeEvents(entry.events);
        for (const listener of listeners) {
          try {
            listener(group);
          } catch (error) {
            log.error({ err: error, source: group.source }, 'a watcher of live events failed on one');
          }
        }
      }
    },
  };
}
