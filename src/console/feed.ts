import type { Api } from './api.js';
import { followEvents, type LiveInterest, type LiveState } from './live.js';
import { createRates, type Rates } from './rates.js';
import type { RawEvent } from './sse.js';

/** An event with the time at which it came here, and a number for lists. */
export interface SeenEvent extends RawEvent {
  number: number;
  seenMs: number;
}

/** Live events as views use them: the newest, what is counted of them, and how the stream is. */
export interface Feed {
  readonly state: LiveState;
  /** newest first, at most {@link KEPT_EVENTS} */
  readonly newest: readonly SeenEvent[];
  /** how many came */
  readonly total: number;
  readonly rates: Rates;
  /** grows when what a view has read may be out of date without an event that says so */
  readonly missed: number;
  /** Calls back after changes, a few times a second at most. */
  watch(callback: () => void): () => void;
  /** Calls back with every event. */
  listen(callback: (events: readonly RawEvent[]) => void): () => void;
  close(): void;
}

const KEPT_EVENTS = 200;
const RATE_WINDOW_S = 300;
const NOTIFY_MS = 250;

export function createFeed(api: Api, interest: LiveInterest = {}): Feed {
  const watchers = new Set<() => void>();
  const listeners = new Set<(events: readonly RawEvent[]) => void>();
  const rates = createRates(RATE_WINDOW_S);
  let newest: readonly SeenEvent[] = [];
  let state: LiveState = { kind: 'connecting' };
  let total = 0;
  let missed = 0;
  let notifying = false;

  /** By how much our clock is ahead of the service's, and the way here: the least of what was seen. */
  let aheadMs = Infinity;

  /** The second of an event, in our time: what is replayed after a break belongs to when it happened. */
  function happenedS(data: string, seenMs: number): number {
    const timestampMs = Number(/"timestamp":(\d{1,16})\b/.exec(data)?.[1] ?? NaN);
    if (Number.isNaN(timestampMs)) return Math.floor(seenMs / 1000);
    aheadMs = Math.min(aheadMs, seenMs - timestampMs);
    return Math.floor((timestampMs + aheadMs) / 1000);
  }

  function notify(): void {
    if (notifying) return;
    notifying = true;
    setTimeout(() => {
      notifying = false;
      for (const watcher of [...watchers]) watcher();
    }, NOTIFY_MS);
  }

  const close = followEvents(api, interest, {
    onState(next) {
      state = next;
      if (next.kind === 'live') rates.open(nowS());
      else rates.close(nowS());
      notify();
    },
    onConnected(again) {
      if (!again) return;
      missed++;
      notify();
    },
    onEvents(events) {
      const seenMs = Date.now();
      for (const { type, data } of events) {
        const updates = UPDATES.has(type) ? 1 : 0;
        const matches = MATCHES.has(type) ? 1 : 0;
        if (updates + matches > 0) rates.add(happenedS(data, seenMs), { updates, matches });
      }
      const latest = events.slice(-KEPT_EVENTS).map((event, i, all) => {
        return { ...event, number: total + events.length - all.length + i, seenMs };
      });
      newest = [...latest.reverse(), ...newest].slice(0, KEPT_EVENTS);
      total += events.length;
      for (const listener of [...listeners]) listener(events);
      notify();
    },
  });

  return {
    get state() {
      return state;
    },
    get newest() {
      return newest;
    },
    get total() {
      return total;
    },
    get missed() {
      return missed;
    },
    rates,
    watch(callback) {
      watchers.add(callback);
      return () => void watchers.delete(callback);
    },
    listen(callback) {
      listeners.add(callback);
      return () => void listeners.delete(callback);
    },
    close,
  };
}

const UPDATES = new Set(['metadata-updated', 'appversion-updated', 'registered', 'unregistered']);
const MATCHES = new Set(['ep-matched', 'ep-unmatched']);

export function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
