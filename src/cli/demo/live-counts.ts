import type { ServerSentEvent } from '../sse.js';
import { followEvents } from '../watch/index.js';

/** What the live stream has brought so far. */
export interface LiveCounts {
  /** resolves when the stream is open */
  connected: Promise<void>;
  byKind: ReadonlyMap<string, number>;
  /** by filter id: matched less unmatched since the stream was opened */
  change(filterId: string): number;
  /** the register said that events may be missing here */
  incomplete(): boolean;
  /** settles when the stream ends; rejects when it can't be followed */
  ended: Promise<void>;
}

export function countEvents(url: URL, application: string, signal: AbortSignal): LiveCounts {
  const byKind = new Map<string, number>();
  const changes = new Map<string, number>();
  let gaps = 0;
  let onConnected = (): void => undefined;
  const connected = new Promise<void>((resolve) => (onConnected = resolve));
  const take = ({ event, data }: ServerSentEvent): void => {
    byKind.set(event, (byKind.get(event) ?? 0) + 1);
    const step = event === 'ep-matched' ? 1 : event === 'ep-unmatched' ? -1 : 0;
    if (step === 0) return;
    const { filterId } = JSON.parse(data) as { filterId: string };
    changes.set(filterId, (changes.get(filterId) ?? 0) + step);
  };
  const ended = followEvents({
    url,
    query: { application },
    signal,
    onConnected,
    // it goes on behind the last event
    onLost: () => undefined,
    onGap: () => void gaps++,
    onEvents: (events) => events.forEach(take),
  });
  ended.catch(() => undefined);
  return {
    connected: Promise.race([connected, ended]),
    byKind,
    change: (filterId) => changes.get(filterId) ?? 0,
    incomplete: () => gaps > 0,
    ended,
  };
}
