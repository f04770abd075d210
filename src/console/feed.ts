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
      const counts = { updates: 0, matches: 0 };
      for (const { type } of events) {
        if (UPDATES.has(type)) counts.updates++;
        else if (MATCHES.has(type)) counts.matches++;
      }
      rates.add(nowS(), counts);
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
