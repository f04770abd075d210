import { Counter, Gauge, type Registry } from 'prom-client';

type MessageResult =
  'done' | 'expired' | 'ignored' | 'postponed' | 'undecodable' | 'fatal' | 'lost' | 'dropped';

/** Plain numbers, for the hot path: they become metrics when the metrics are read. */
export interface ConnectivityMetrics {
  message(result: MessageResult): void;
  endpoint(outcome: string): void;
}

export function createConnectivityMetrics(
  registry: Registry,
  load: { inFlight: () => number; bytes: () => number; held: () => number },
): ConnectivityMetrics {
  const registers = [registry];
  new Gauge({
    name: 'epr_connectivity_messages_in_flight',
    help: 'Messages of the communication service taken and not yet acknowledged.',
    registers,
    collect() {
      this.set(load.inFlight());
    },
  });
  new Gauge({
    name: 'epr_connectivity_bytes_in_flight',
    help: 'Bytes of these messages.',
    registers,
    collect() {
      this.set(load.bytes());
    },
  });
  new Gauge({
    name: 'epr_connectivity_dead_letters_held',
    help: 'Messages of the communication service that wait, unacknowledged, until a dead letter of them can be written.',
    registers,
    collect() {
      this.set(load.held());
    },
  });
  const messages = new Map<string, number>();
  const endpoints = new Map<string, number>();
  new Counter({
    name: 'epr_connectivity_messages_total',
    help: 'Messages of the communication service by what came of them: done, expired, ignored, postponed (too many bytes); undecodable, fatal (dead letters); lost, dropped.',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of messages) this.inc({ result }, count);
    },
  });
  new Counter({
    name: 'epr_connectivity_endpoints_total',
    help: 'Endpoints in them, by what came of each: applied, unchanged, stale, retried, or why it was refused.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of endpoints) this.inc({ outcome }, count);
    },
  });
  return {
    message: (result) => increase(messages, result),
    endpoint: (outcome) => increase(endpoints, outcome),
  };
}

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
