import { type StoredEvent, decodeEvents } from '../model/event.js';
import type { OutboxEntry, OutboxPosition } from '../storage/index.js';

/** What is due of one endpoint or filter: strictly one event after the other. */
export interface Source {
  readonly id: string;
  /** failures of the present event in a row */
  attempts: number;
  /** set when the present event can never be published: what is sent in its place says this */
  dead?: string;
  /** the present event had to wait for others, and they are published */
  isBehind?: true;
  /** where the stream has the last event that it acknowledged; 0: not known */
  lastSeq: number;
  /** how often in a row the stream dropped the present event, which must come behind that */
  holds: number;
}

interface OwnSource extends Source {
  entries: QueuedEntry[];
  /** events of the first entry, once it is their turn */
  events: readonly StoredEvent[] | undefined;
  next: number;
  /** the newest entry that was ever taken: everything up to it is known */
  takenOrder: number;
  /** entries that were taken and are not cleared from the store */
  uncleared: number;
}

interface QueuedEntry extends OutboxEntry {
  sinceMs: number;
}

/** The outbox entries in memory, in a queue for each source. Sources are dropped when the store has forgotten their entries. */
export interface SourceQueues {
  /** Takes an entry, unless it, or a later one of its source, was taken before. Entries of one source come in order. */
  take(entry: OutboxEntry): boolean;
  knows(position: OutboxPosition): boolean;
  /** The source whose turn it is, or undefined. It is out of the line until `offer`ed again. */
  nextReady(): Source | undefined;
  /** back in line */
  offer(source: Source): void;
  /** The event that is due. Throws when the entry's bytes are damaged. */
  present(source: Source): StoredEvent;
  /** of the entry whose event is due */
  position(source: Source): OutboxPosition;
  /** The present event is done; answers the entry's position when it was its last. Puts the source in line if more is due. */
  advance(source: Source): OutboxPosition | undefined;
  /** The first entry is done as it is (its bytes are damaged). */
  discard(source: Source): OutboxPosition;
  /** The store forgot it. */
  cleared(position: OutboxPosition): void;
  /** While the store is being read, cleared sources stay known, for the read may still see them. */
  hold(): void;
  release(): void;
  entries(): number;
  bytes(): number;
  /** of `performance.now()`; undefined when empty */
  oldestMs(): number | undefined;
}

export function createSourceQueues(): SourceQueues {
  const sources = new Map<string, OwnSource>();
  let line: OwnSource[] = [];
  let lineStart = 0;
  let entries = 0;
  let bytes = 0;
  let holding = false;
  let emptied: OwnSource[] = [];

  const offer = (source: Source) => void line.push(source as OwnSource);

  const forget = (source: OwnSource) => {
    if (source.entries.length > 0 || source.uncleared > 0) return;
    if (holding) emptied.push(source);
    else if (sources.get(source.id) === source) sources.delete(source.id);
  };

  const finish = (source: OwnSource): OutboxPosition => {
    const entry = source.entries.shift()!;
    source.events = undefined;
    source.next = 0;
    source.attempts = 0;
    delete source.dead;
    delete source.isBehind;
    entries--;
    bytes -= entry.events.length;
    if (source.entries.length > 0) offer(source);
    return entry.position;
  };

  const knows = ({ source: id, order }: OutboxPosition) => {
    const source = sources.get(id);
    return source !== undefined && order <= source.takenOrder;
  };

  return {
    take({ position, events }) {
      if (knows(position)) return false;
      let source = sources.get(position.source);
      if (source === undefined) {
        source = {
          id: position.source,
          attempts: 0,
          lastSeq: 0,
          holds: 0,
          entries: [],
          events: undefined,
          next: 0,
          takenOrder: 0,
          uncleared: 0,
        };
        sources.set(source.id, source);
      }
      source.takenOrder = position.order;
      source.uncleared++;
      source.entries.push({ position, events, sinceMs: performance.now() });
      entries++;
      bytes += events.length;
      if (source.entries.length === 1) offer(source);
      return true;
    },
    knows,
    nextReady() {
      const source = line[lineStart];
      if (source === undefined) return undefined;
      lineStart++;
      if (lineStart > 1024 && lineStart * 2 > line.length) {
        line = line.slice(lineStart);
        lineStart = 0;
      }
      return source;
    },
    offer,
    present(given) {
      const source = given as OwnSource;
      source.events ??= decodeEvents(source.entries[0]!.events).events;
      const event = source.events[source.next];
      if (event === undefined || event.kind === undefined)
        throw new RangeError('The outbox entry has no such event.');
      return event;
    },
    advance(given) {
      const source = given as OwnSource;
      source.attempts = 0;
      source.holds = 0;
      delete source.dead;
      delete source.isBehind;
      if (++source.next < source.events!.length) {
        offer(source);
        return undefined;
      }
      return finish(source);
    },
    position: (source) => (source as OwnSource).entries[0]!.position,
    discard: (source) => finish(source as OwnSource),
    cleared(position) {
      const source = sources.get(position.source);
      if (source === undefined) return;
      source.uncleared--;
      forget(source);
    },
    hold() {
      holding = true;
    },
    release() {
      holding = false;
      const candidates = emptied;
      emptied = [];
      candidates.forEach(forget);
    },
    entries: () => entries,
    bytes: () => bytes,
    oldestMs() {
      let oldest: number | undefined;
      for (const { entries } of sources.values()) {
        const since = entries[0]?.sinceMs;
        if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
      }
      return oldest;
    },
  };
}
