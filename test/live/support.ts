import pino from 'pino';
import { Registry } from 'prom-client';
import {
  type LiveEventLog,
  type LiveItem,
  openLiveEvents,
  parsePlace,
  placeBehind,
} from '../../src/live/index.js';
import { decodeEvents, encodeEvents, type StoredEvent } from '../../src/model/event.js';
import type { OutboxEntry } from '../../src/storage/index.js';

/** An outbox that counts its entries in one sequence, as the embedded keeper does. */
export class CountingOutbox {
  entries: OutboxEntry[] = [];
  newest = 0;

  /** One committed change with so many events; `label` finds it again. */
  add(label: string, events: number, bytes = 20): OutboxEntry {
    const all = Array.from({ length: events }, (_, i): StoredEvent => ({
      kind: 'registered',
      revision: i,
      payload: Buffer.alloc(bytes, label),
    }));
    const entry = {
      position: { source: label, order: ++this.newest },
      events: encodeEvents({ source: label, tenant: 'kaa', application: 'app', events: all }),
    };
    this.entries.push(entry);
    return entry;
  }

  clear(through: number): void {
    this.entries = this.entries.filter(({ position }) => position.order > through);
  }

  copy(): CountingOutbox {
    const copy = new CountingOutbox();
    copy.entries = [...this.entries];
    copy.newest = this.newest;
    return copy;
  }

  readonly store = {
    newestOrder: () => this.newest,
    readOutbox: async (limit: number, after?: { order: number }) =>
      this.entries.filter(({ position }) => position.order > (after?.order ?? 0)).slice(0, limit),
  };
}

export interface Opened {
  live: LiveEventLog;
  /** lines at `info` and above */
  logged: string[];
  metrics: Registry;
}

export async function open(
  outbox: CountingOutbox,
  folder?: string,
  bounds: { bytes: number; ageMs: number } = { bytes: 64 * 1024 * 1024, ageMs: 3_600_000 },
): Promise<Opened> {
  const logged: string[] = [];
  const metrics = new Registry();
  const live = await openLiveEvents({
    ...(folder === undefined ? {} : { folder }),
    store: outbox.store,
    bounds: () => bounds,
    log: pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }),
    metrics,
  });
  return { live, logged, metrics };
}

/** One event as a reader sees it: its id, and what it is (`label/index`, or `gap reason`). */
export interface Seen {
  id: string;
  what: string;
}

export function seenOf(items: readonly LiveItem[]): Seen[] {
  return items.flatMap((item) => {
    if (item.kind === 'gap') return [{ id: `${item.run}-${item.number}.0`, what: `gap ${item.reason}` }];
    const { source, events } = decodeEvents(item.events);
    const all = events.map((_event, i) => ({
      id: placeBehind(item.run, item.number, i, events.length),
      what: `${source}/${i}`,
    }));
    return all.slice(item.skip);
  });
}

/** All that is there behind a place. */
export async function readFrom(live: LiveEventLog, id: string): Promise<Seen[]> {
  const replay = live.replay(parsePlace(id)!);
  const seen: Seen[] = [];
  while (!replay.atEnd) seen.push(...seenOf(await replay.next()));
  return seen;
}

export const whats = (seen: readonly Seen[]): string[] => seen.map(({ what }) => what);
