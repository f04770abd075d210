import type { LiveEvents, LiveItem, Place } from '../../live/index.js';
import type { Exchange } from '../wire/exchange.js';
import { type EventInterest, tellablesOf } from './event-text.js';
import { createServerSentChannel } from './server-sent-channel.js';
import { Subscriber } from './subscriber.js';
import { createWebSocketChannel } from './web-socket-channel.js';

export interface EventHub {
  /** there are as many subscribers as are allowed, or the service is stopping */
  readonly full: boolean;
  /**
   * Begins a stream on an exchange that was not answered yet, behind a place, or with what happens from now on; as
   * messages of a WebSocket where the exchange asks for one. Ask {@link full} right before. `untilMs` (Unix ms): the caller's
   * token counts no longer, and the stream ends.
   */
  subscribe(exchange: Exchange, interest: EventInterest, from: Place | undefined, untilMs?: number): void;
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
  onResumed: () => void;
  /** told for every gap that a subscriber was told of */
  onGap: () => void;
  onFault: (error: unknown) => void;
}

/**
 * Hands live events to subscribers. Listens only while somebody is live; an event is decoded and written once for all
 * of them. Replays take turns, one step in a turn of the event loop, so that many who come back at once do not keep
 * others waiting.
 */
export function createEventHub(options: EventHubOptions): EventHub {
  const { live } = options;
  const subscribers = new Set<Subscriber>();
  const listening = new Set<Subscriber>();
  const steps: (() => Promise<void>)[] = [];
  let stepping = false;
  let unsubscribe: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let closed = false;

  function deliver(items: readonly LiveItem[]): void {
    const told = items.flatMap(tellablesOf);
    for (const subscriber of [...listening]) subscriber.deliver(told);
  }

  function listen(subscriber: Subscriber): void {
    listening.add(subscriber);
    unsubscribe ??= live.subscribe(deliver);
  }

  function leave(subscriber: Subscriber): void {
    subscribers.delete(subscriber);
    listening.delete(subscriber);
    if (listening.size === 0) {
      unsubscribe?.();
      unsubscribe = undefined;
    }
    if (subscribers.size === 0) clearInterval(heartbeat);
  }

  function takeTurn(step: () => Promise<void>): void {
    steps.push(step);
    if (!stepping) runSteps();
  }

  function runSteps(): void {
    const step = steps.shift();
    stepping = step !== undefined;
    // a step does not reject
    if (step !== undefined) setImmediate(() => void step().then(runSteps));
  }

  return {
    get subscribers() {
      return subscribers.size;
    },
    get full() {
      return closed || subscribers.size >= options.maxSubscribers;
    },
    subscribe(exchange, interest, from, untilMs) {
      const { onDropped, onGap, onFault } = options;
      if (from !== undefined) options.onResumed();
      const subscriber = new Subscriber({
        channel:
          exchange.upgradeTo === undefined
            ? createServerSentChannel(exchange)
            : createWebSocketChannel(exchange),
        interest,
        replay: from === undefined ? undefined : live.replay(from),
        now: () => live.now(),
        following: live.following,
        onLive: () => listen(subscriber),
        onLeave: () => {
          clearTimeout(expiry);
          leave(subscriber);
        },
        onDropped,
        onGap,
        onFault,
        takeTurn,
      });
      const expiry = untilMs === undefined ? undefined : endAt(subscriber, untilMs);
      subscribers.add(subscriber);
      if (subscribers.size === 1) {
        heartbeat = setInterval(() => {
          for (const each of [...subscribers]) each.heartbeat();
        }, options.heartbeatMs);
        heartbeat.unref();
      }
      subscriber.begin();
    },
    close() {
      closed = true;
      for (const subscriber of [...subscribers]) subscriber.end('stopping', 'the service is stopping');
    },
  };
}

/** What timers can wait. */
const MAX_WAIT_MS = 2 ** 31 - 1;

function endAt(subscriber: Subscriber, untilMs: number): NodeJS.Timeout {
  const waitMs = Math.min(MAX_WAIT_MS, Math.max(0, untilMs - Date.now()));
  const timer = setTimeout(
    () => subscriber.end('expired', 'the access token has expired: come back with a new one'),
    waitMs,
  );
  return timer.unref();
}
