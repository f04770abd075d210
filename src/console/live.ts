import type { Api } from './api.js';
import { createEventReader, type RawEvent } from './sse.js';

/** Which events are wanted; all of them when nothing is named. */
export interface LiveInterest {
  application?: string;
  endpointId?: string;
  filterId?: string;
}

export type LiveState =
  | { kind: 'connecting' }
  | { kind: 'live' }
  /** `reason`: why the last connection ended */
  | { kind: 'reconnecting'; reason: string }
  /** asked for again now and then: rights come and go */
  | { kind: 'denied'; reason: string }
  /** nobody looks: a browser has few connections to one service, and a hidden page leaves them to others */
  | { kind: 'asleep' };

export interface LiveHandlers {
  onState(state: LiveState): void;
  onEvents(events: readonly RawEvent[]): void;
  /** Connected, for the first time or again. `missed`: events may have passed unseen; what is shown must be read anew. */
  onConnected(missed: boolean): void;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** the service sends a heartbeat every 15 s */
const SILENCE_MS = 40_000;
const ASLEEP_AFTER_MS = 60_000;
/** a right comes seldom, and who waits for it can load the page anew */
const DENIED_WAIT_MS = 60_000;
/** a stream that lasted so long is asked for again at once */
const LASTED_MS = 10_000;

/**
 * Follows live events until the answered function is called. By fetch, not EventSource: that one can't carry a token, and
 * tells nothing of a refusal. Connects again by itself, and asks for what it missed.
 */
export function followEvents(api: Api, interest: LiveInterest, handlers: LiveHandlers): () => void {
  let ended = false;
  let hiddenLong = false;
  let lastId: string | undefined;
  let connections = 0;
  let wake: (() => void) | undefined;
  let current = new AbortController();
  let tellEnd = (): void => undefined;
  const end = new Promise<void>((resolve) => (tellEnd = resolve));

  async function run(): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    handlers.onState({ kind: 'connecting' });
    while (!ended) {
      if (hiddenLong) {
        handlers.onState({ kind: 'asleep' });
        // all that happened meanwhile may be more than is worth replaying: views read anew
        lastId = undefined;
        await new Promise<void>((resolve) => (wake = resolve));
        waitMs = FIRST_WAIT_MS;
        continue;
      }
      current = new AbortController();
      const answer = await api.stream(
        { path: 'events', query: { ...interest }, signal: current.signal },
        { Accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'Last-Event-ID': lastId }) },
      );
      let reason: string;
      if (answer.ok) {
        handlers.onState({ kind: 'live' });
        handlers.onConnected(connections++ > 0 && lastId === undefined);
        waitMs = FIRST_WAIT_MS;
        const sinceMs = performance.now();
        reason = await read(answer.value, current);
        // as when its token has ended: there is nothing to be told, unless it is not to be had again
        if (performance.now() - sinceMs > LASTED_MS) continue;
      } else {
        reason = answer.fault.message;
        if (answer.fault.status === 403) {
          handlers.onState({ kind: 'denied', reason });
          await Promise.race([pause(DENIED_WAIT_MS), end]);
          continue;
        }
        // a place that this service does not know: another one has taken its name
        if (answer.fault.status === 400 && lastId !== undefined) {
          lastId = undefined;
          handlers.onConnected(true);
        }
        waitMs = Math.max(waitMs, answer.fault.retryAfterMs ?? 0);
      }
      if (ended) return;
      if (hiddenLong) continue;
      handlers.onState({ kind: 'reconnecting', reason });
      await Promise.race([pause(waitMs), new Promise<void>((resolve) => (wake = resolve))]);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    }
  }

  /** Answers why it ended. */
  async function read(body: ReadableStream<Uint8Array>, connection: AbortController): Promise<string> {
    const events = createEventReader();
    const pieces = body
      .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
      .getReader();
    let silence: ReturnType<typeof setTimeout> | undefined;
    let dropped: string | undefined;
    try {
      for (;;) {
        clearTimeout(silence);
        silence = setTimeout(() => connection.abort(), SILENCE_MS);
        const { done, value } = await pieces.read();
        if (done) return dropped ?? 'The service ended the stream.';
        const all = events.read(value);
        const seen = all.filter((event) => !CONTROL.has(event.type));
        for (const event of all) {
          if (event.id !== undefined) lastId = event.id;
          if (event.type === 'dropped') dropped = `The service dropped us: ${reasonOf(event)}.`;
          if (event.type === 'gap') handlers.onConnected(true);
        }
        if (seen.length > 0) handlers.onEvents(seen);
      }
    } catch {
      return dropped ?? 'The connection was lost.';
    } finally {
      clearTimeout(silence);
    }
  }

  let falling: ReturnType<typeof setTimeout> | undefined;
  const onVisibility = (): void => {
    clearTimeout(falling);
    if (document.hidden) {
      falling = setTimeout(() => {
        hiddenLong = true;
        current.abort();
      }, ASLEEP_AFTER_MS);
      return;
    }
    hiddenLong = false;
    wake?.();
  };
  const onOnline = (): void => wake?.();
  document.addEventListener('visibilitychange', onVisibility);
  addEventListener('online', onOnline);
  void run();

  return () => {
    ended = true;
    tellEnd();
    current.abort();
    wake?.();
    clearTimeout(falling);
    document.removeEventListener('visibilitychange', onVisibility);
    removeEventListener('online', onOnline);
  };
}

/** Words of the stream about itself. */
const CONTROL = new Set(['dropped', 'gap']);

function reasonOf(event: RawEvent): string {
  try {
    return String((JSON.parse(event.data) as { reason?: unknown }).reason);
  } catch {
    return 'without a reason';
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
