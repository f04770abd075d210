import type { LiveEvents, LiveItem, Place } from '../../live/index.js';
import type { Caller } from '../../security/index.js';
import type { Exchange } from '../wire/exchange.js';
import type { Refusal } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import type { EndCause } from './event-channel.js';
import { type EventInterest, type Readable, tellablesOf } from './event-text.js';
import { createServerSentChannel } from './server-sent-channel.js';
import { Subscriber } from './subscriber.js';
import { createWebSocketChannel } from './web-socket-channel.js';

export interface EventHub {
  /** there are as many subscribers as are allowed, or the service is stopping */
  readonly full: boolean;
  /**
   * Begins a stream on an exchange that was not answered yet, behind a place, or with what happens from now on; as
   * messages of a WebSocket where the exchange asks for one. Ask {@link full} right before. It ends when the caller's token
   * expires, and at {@link review}.
   */
  subscribe(
    exchange: Exchange,
    interest: EventInterest,
    from: Place | undefined,
    caller: Caller,
    askAgain: AskReadable,
  ): void;
  /**
   * Ends the streams of callers that do not count any more or may not read any more, and narrows and widens others to what
   * their callers may read now. Done by itself, too, every {@link EventHubOptions.reviewMs}.
   */
  review(): void;
  readonly subscribers: number;
  /** Ends all streams and takes no more. */
  close(): void;
}

/** What a caller may read now, or why nothing of what it asked for. */
export type AskReadable = () => Promise<Readable | Refusal | Retry>;

export interface EventHubOptions {
  live: LiveEvents;
  /** whether a caller is still what it was */
  counts: (caller: Caller) => boolean;
  maxSubscribers: number;
  heartbeatMs: number;
  /** how often callers' rights are looked at; absent: at {@link EventHub.review} only */
  reviewMs?: number;
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
  const subscribers = new Map<Subscriber, { caller: Caller; askAgain: AskReadable; isAsking?: true }>();
  const listening = new Set<Subscriber>();
  const steps: (() => Promise<void>)[] = [];
  let stepping = false;
  let unsubscribe: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let reviewing: NodeJS.Timeout | undefined;
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
    if (subscribers.size > 0) return;
    clearInterval(heartbeat);
    clearInterval(reviewing);
  }

  /** False: it does not, and the stream has ended. */
  function endUnlessCounts(subscriber: Subscriber, caller: Caller): boolean {
    const counts = options.counts(caller);
    if (!counts) subscriber.end('expired', 'the access token is not taken any more');
    return counts;
  }

  /** What was sent stays sent; what may not be read any more is not sent from now on, nor anything until that is known. */
  async function allowAnew(subscriber: Subscriber): Promise<void> {
    const entry = subscribers.get(subscriber);
    if (entry === undefined || entry.isAsking === true) return;
    entry.isAsking = true;
    subscriber.hold();
    try {
      const readable = await entry.askAgain();
      if (!('kind' in readable)) subscriber.allow(readable);
      else subscriber.end(causeOf(readable), readable.message);
    } catch (error) {
      options.onFault(error);
      subscriber.end('failed', 'something went wrong here; it is logged');
    } finally {
      delete entry.isAsking;
    }
  }

  function review(): void {
    for (const [subscriber, { caller }] of [...subscribers])
      if (endUnlessCounts(subscriber, caller)) void allowAnew(subscriber);
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
    subscribe(exchange, interest, from, caller, askAgain) {
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
      const untilMs = caller.token?.expiresMs;
      const expiry = untilMs === undefined ? undefined : endAt(subscriber, untilMs);
      subscribers.set(subscriber, { caller, askAgain });
      if (subscribers.size === 1) {
        heartbeat = setInterval(() => {
          for (const each of [...subscribers.keys()]) each.heartbeat();
        }, options.heartbeatMs);
        heartbeat.unref();
        if (options.reviewMs !== undefined) reviewing = setInterval(review, options.reviewMs).unref();
      }
      subscriber.begin();
      // what has changed while it was answered was told to others
      endUnlessCounts(subscriber, caller);
    },
    review,
    close() {
      closed = true;
      for (const subscriber of [...subscribers.keys()]) subscriber.end('stopping', 'the service is stopping');
    },
  };
}

function causeOf({ kind, code }: Refusal | Retry): EndCause {
  if (kind === 'retry') return 'undecided';
  return code === 'unauthenticated' ? 'expired' : 'not-allowed';
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
