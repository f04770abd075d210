import { decodeEvent } from '../../avro/index.js';
import { type EventGroup, type StoredEvent, messageIdOf } from '../../model/event.js';
import type { LiveEvents } from '../../register/index.js';
import type { Exchange } from '../wire/exchange.js';
import { Subscriber } from './subscriber.js';

/** Which events a subscriber wants: all that fit every part that is given. */
export interface EventInterest {
  tenant: string | undefined;
  /** applications the caller may read; absent: all */
  applications: ReadonlySet<string> | undefined;
  endpointIds: ReadonlySet<string> | undefined;
  filterIds: ReadonlySet<string> | undefined;
  types: ReadonlySet<string> | undefined;
}

export interface EventHub {
  /** there are as many subscribers as are allowed, or the service is stopping */
  readonly full: boolean;
  /** Begins a stream on an exchange that was not answered yet. Ask {@link full} right before. */
  subscribe(exchange: Exchange, interest: EventInterest): void;
  readonly subscribers: number;
  /** Ends all streams and takes no more. */
  close(): void;
}

export interface EventHubOptions {
  live: LiveEvents;
  maxSubscribers: number;
  heartbeatMs: number;
  /** told for every subscriber that was too slow */
  onDropped: () => void;
  onFault: (error: unknown) => void;
}

/** Hands live events to subscribers. Listens to the register only while somebody is there; an event is decoded once for all. */
export function createEventHub(options: EventHubOptions): EventHub {
  const subscribers = new Map<Subscriber, EventInterest>();
  let unsubscribe: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let closed = false;

  function deliver(group: EventGroup): void {
    for (const event of group.events) {
      let text: string | undefined;
      for (const [subscriber, interest] of subscribers) {
        if (!wants(interest, group, event)) continue;
        try {
          text ??= eventText(group, event);
        } catch (error) {
          options.onFault(error);
          break;
        }
        subscriber.send(text);
      }
    }
  }

  function leave(subscriber: Subscriber): void {
    subscribers.delete(subscriber);
    if (subscribers.size > 0) return;
    unsubscribe?.();
    unsubscribe = undefined;
    clearInterval(heartbeat);
  }

  return {
    get subscribers() {
      return subscribers.size;
    },
    get full() {
      return closed || subscribers.size >= options.maxSubscribers;
    },
    subscribe(exchange, interest) {
      const subscriber = new Subscriber(exchange, () => leave(subscriber), options.onDropped);
      subscribers.set(subscriber, interest);
      if (subscribers.size === 1) {
        unsubscribe = options.live.subscribe(deliver);
        heartbeat = setInterval(() => {
          for (const each of [...subscribers.keys()]) each.send(': heartbeat\n\n');
        }, options.heartbeatMs);
        heartbeat.unref();
      }
      subscriber.begin();
    },
    close() {
      closed = true;
      for (const subscriber of [...subscribers.keys()]) subscriber.end('the service is stopping');
    },
  };
}

function wants(interest: EventInterest, group: EventGroup, event: StoredEvent): boolean {
  if (interest.tenant !== undefined && interest.tenant !== group.tenant) return false;
  if (interest.applications !== undefined && !interest.applications.has(group.application)) return false;
  if (interest.types !== undefined && !interest.types.has(event.kind)) return false;
  if (
    interest.filterIds !== undefined &&
    (event.filterId === undefined || !interest.filterIds.has(event.filterId))
  )
    return false;
  return interest.endpointIds === undefined || isAbout(interest.endpointIds, group, event);
}

/** An event of relations is about all that it names. */
function isAbout(endpointIds: ReadonlySet<string>, group: EventGroup, event: StoredEvent): boolean {
  if (endpointIds.has(group.source)) return true;
  if (event.kind !== 'relations-updated') return false;
  return (decodeEvent(event.kind, event.payload)['endpointIds'] as string[]).some((id) =>
    endpointIds.has(id),
  );
}

function eventText(group: EventGroup, event: StoredEvent): string {
  const data = {
    type: event.kind,
    source: group.source,
    application: group.application,
    ...decodeEvent(event.kind, event.payload),
  };
  return `id: ${messageIdOf(group.source, event)}\nevent: ${event.kind}\ndata: ${JSON.stringify(data)}\n\n`;
}
