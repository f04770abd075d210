import type { NatsConnection } from 'nats';
import { FrameReader, FrameWriter } from '../model/frames.js';
import { hashText, mix } from '../model/hash.js';
import type { EventSink } from '../register/index.js';
import type { OutboxEntry } from '../storage/index.js';
import type { NatsLink } from './connection.js';
import type { SparingLog } from './sparing-log.js';

/** What the relay needs to know of other replicas on its storage. */
export interface RelayMates {
  id: string;
  /** ids of the live ones, this one included */
  live(): readonly string[];
  /** Called when those are others than before. */
  onLive(listener: () => void): () => void;
  /** Entries of these sources that were committed and not cleared, each source's in its order. */
  readOutboxOf(sources: readonly string[]): Promise<OutboxEntry[]>;
}

/**
 * Who publishes what, where several replicas share an outbox: of each source one live replica, chosen by hash; who commits
 * hands the entries over to it, over NATS, for without that nothing is published anyway.
 *
 * No event depends on that. An entry is taken only when the one before it was taken here, too; else all that the storage has
 * of its source is read first. So whoever publishes, begins with the oldest that is not known to be published, and the
 * order of first appearances holds even when two take themselves for the owner. What nobody takes (it was handed to one
 * that has died, or a message was lost) is found by looking through the outbox: whenever the live ones change, after
 * each connection, and from time to time.
 */
export interface OutboxOwners {
  sink: EventSink;
  owns(source: string): boolean;
  start(): void;
  stop(): Promise<void>;
}

export interface OutboxOwnersDeps {
  mates: RelayMates;
  link: Pick<NatsLink, 'current' | 'onUp'>;
  /** where a replica is handed entries */
  subjectOf: (replicaId: string) => string;
  /** what follows: entries of own sources, in order */
  sink: EventSink;
  sparing: SparingLog;
}

/** Of one message, where the server does not take less (`max_payload`): a source and numbers come on top. */
const MESSAGE_BYTES = 256 * 1024;
const HEAD_BYTES = 1024;
const READ_AT_ONCE = 200;
const RETRY_MS = 500;
/** Sources of which it is remembered what was taken: more cost a read each. */
const REMEMBERED = 100_000;
const LOOK_THROUGH = new Uint8Array(0);

export function createOutboxOwners({
  mates,
  link,
  subjectOf,
  sink,
  sparing,
}: OutboxOwnersDeps): OutboxOwners {
  /** the newest order that was taken of a source, the longest ago first */
  const taken = new Map<string, number>();
  /** sources that have to be read */
  const unread = new Set<string>();
  let reading: Promise<void> | undefined;
  let notHanded = false;
  let stopped = false;
  let ends: (() => void)[] = [];

  const ownerOf = (source: string): string => {
    let owner = mates.id;
    let most = -1;
    for (const id of mates.live()) {
      // mixed, as names that differ in one letter are to be far apart
      const weight = mix(hashText(`${id}/${source}`)) >>> 0;
      if (weight <= most) continue;
      most = weight;
      owner = id;
    }
    return owner;
  };

  const remember = ({ source, order }: OutboxEntry['position']): void => {
    taken.delete(source);
    taken.set(source, order);
    if (taken.size <= REMEMBERED) return;
    for (const oldest of taken.keys()) return void taken.delete(oldest);
  };

  /** Takes what follows on what was taken, and has the rest read. */
  const take = (entries: readonly OutboxEntry[]): void => {
    const ready: OutboxEntry[] = [];
    for (const entry of entries) {
      const { source, order } = entry.position;
      const newest = taken.get(source) ?? 0;
      if (order <= newest) continue;
      if (unread.has(source) || entry.previous === undefined || newest < entry.previous) unread.add(source);
      else {
        remember(entry.position);
        ready.push(entry);
      }
    }
    if (ready.length > 0) sink.committed(ready);
    if (unread.size > REMEMBERED) {
      unread.clear();
      sink.doubt();
    }
    if (unread.size > 0) reading ??= read();
  };

  /** Ends when nothing is left to read; what comes in that very moment begins it anew. */
  async function read(): Promise<void> {
    while (unread.size > 0 && !stopped) {
      const sources = [...unread].slice(0, READ_AT_ONCE);
      for (const source of sources) unread.delete(source);
      try {
        const entries = await mates.readOutboxOf(sources);
        const fresh = entries.filter(({ position }) => position.order > (taken.get(position.source) ?? 0));
        for (const { position } of fresh) remember(position);
        if (fresh.length > 0) sink.committed(fresh);
      } catch (error) {
        for (const source of sources) unread.add(source);
        sparing.tell(
          'outbox not read',
          { error: (error as Error).message },
          'The outbox can not be read; trying again.',
        );
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    reading = undefined;
  }

  const handOver = (to: string, entries: readonly OutboxEntry[]): void => {
    const connection = link.current();
    if (connection === undefined) {
      notHanded = true;
      return;
    }
    const maxBytes = Math.min(MESSAGE_BYTES, (connection.info?.max_payload ?? Infinity) - HEAD_BYTES);
    try {
      for (const message of messagesOf(entries, maxBytes)) connection.publish(subjectOf(to), message);
    } catch {
      // it has closed and we were not told yet; who commits must not learn of it: that is done
      notHanded = true;
    }
  };

  const receive = (data: Uint8Array): void => {
    if (data.length === 0) return sink.doubt();
    try {
      take(readMessage(data));
    } catch (error) {
      sparing.tell(
        'not handed over',
        { err: error, bytes: data.length },
        'What came at the subject where replicas hand over events can not be read.',
        'error',
      );
      sink.doubt();
    }
  };

  const up = (connection: NatsConnection): void => {
    connection.subscribe(subjectOf(mates.id), {
      callback: (error, { data }) => {
        if (error === null) receive(data);
      },
    });
    // what was handed over while there was no connection is lost
    sink.doubt();
    if (!notHanded) return;
    notHanded = false;
    for (const id of mates.live()) if (id !== mates.id) connection.publish(subjectOf(id), LOOK_THROUGH);
  };

  return {
    owns: (source) => ownerOf(source) === mates.id,
    sink: {
      committed(entries) {
        const own: OutboxEntry[] = [];
        const others = new Map<string, OutboxEntry[]>();
        for (const entry of entries) {
          const owner = ownerOf(entry.position.source);
          if (owner === mates.id) own.push(entry);
          else others.set(owner, [...(others.get(owner) ?? []), entry]);
        }
        if (own.length > 0) take(own);
        for (const [id, some] of others) handOver(id, some);
      },
      doubt: () => sink.doubt(),
    },
    start() {
      ends = [link.onUp(up), mates.onLive(() => sink.doubt())];
    },
    async stop() {
      stopped = true;
      for (const end of ends) end();
      await reading;
    },
  };
}

/** One that is too large is named without its events: who gets it reads it. */
function* messagesOf(entries: readonly OutboxEntry[], maxBytes: number): Generator<Uint8Array> {
  let frame = new FrameWriter();
  for (const { position, events, previous } of entries) {
    const isLarge = events.length > maxBytes;
    if (frame.length > 0 && frame.length + (isLarge ? 0 : events.length) > maxBytes) {
      yield frame.finish();
      frame = new FrameWriter();
    }
    frame.text(position.source).f64(position.order);
    frame.f64(isLarge || previous === undefined ? -1 : previous).bytes(isLarge ? LOOK_THROUGH : events);
  }
  if (frame.length > 0) yield frame.finish();
}

function readMessage(data: Uint8Array): OutboxEntry[] {
  // the client's buffer is used again
  const bytes = new Uint8Array(data);
  const frame = new FrameReader(bytes);
  const entries: OutboxEntry[] = [];
  while (!frame.done) {
    const position = { source: frame.text(), order: frame.f64() };
    const previous = frame.f64();
    const events = frame.bytes();
    entries.push(previous < 0 ? { position, events } : { position, events, previous });
  }
  return entries;
}
