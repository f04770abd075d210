import { Counter, Gauge, type Registry } from 'prom-client';

/** What the relay reports. */
export interface RelayMetrics {
  published: Counter<'kind'>;
  repeated: Counter;
  failed: Counter<'reason'>;
  dead: Counter<'reason'>;
}

export interface Backlog {
  /** outbox entries not known to be published: in memory, and in the store only */
  inMemory: number;
  bytesInMemory: number;
  inStore: number;
  /** of the oldest entry in memory, since this process has known it; 0 when there is none */
  oldestAgeMs: number;
}

export function createRelayMetrics(registry: Registry, backlog: () => Backlog): RelayMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (backlog: Backlog) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(backlog()));
      },
    });
  gauge(
    'epr_outbox_backlog',
    'Changes whose events are not published yet (after a start, at the least).',
    (b) => b.inMemory + b.inStore,
  );
  gauge('epr_outbox_memory_entries', 'Those of them that are in memory.', (b) => b.inMemory);
  gauge('epr_outbox_memory_bytes', 'The bytes of their events in memory.', (b) => b.bytesInMemory);
  gauge(
    'epr_outbox_oldest_age_seconds',
    'How long the oldest of them has waited in this process.',
    (b) => b.oldestAgeMs / 1000,
  );
  return {
    published: new Counter({
      name: 'epr_events_published_total',
      help: 'Events published for certain.',
      labelNames: ['kind'],
      registers,
    }),
    repeated: new Counter({
      name: 'epr_events_repeated_total',
      help: 'Events that the stream had before and dropped.',
      registers,
    }),
    failed: new Counter({
      name: 'epr_event_publish_failures_total',
      help: 'Attempts that failed; each is repeated.',
      labelNames: ['reason'],
      registers,
    }),
    dead: new Counter({
      name: 'epr_events_dead_letter_total',
      help: 'Events that can never be published.',
      labelNames: ['reason'],
      registers,
    }),
  };
}
