import { Counter, Gauge, type Registry } from 'prom-client';

export interface ConnectivityMetrics {
  messages: Counter<'result'>;
  endpoints: Counter<'outcome'>;
}

export function createConnectivityMetrics(
  registry: Registry,
  load: { inFlight: () => number; held: () => number },
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
    name: 'epr_connectivity_dead_letters_held',
    help: 'Messages of the communication service that wait, unacknowledged, until a dead letter of them can be written.',
    registers,
    collect() {
      this.set(load.held());
    },
  });
  return {
    messages: new Counter({
      name: 'epr_connectivity_messages_total',
      help: 'Messages of the communication service by what came of them: done, expired, ignored; undecodable, fatal (dead letters); lost, dropped.',
      labelNames: ['result'],
      registers,
    }),
    endpoints: new Counter({
      name: 'epr_connectivity_endpoints_total',
      help: 'Endpoints in them, by what came of each: applied, unchanged, stale, retried, or why it was refused.',
      labelNames: ['outcome'],
      registers,
    }),
  };
}
