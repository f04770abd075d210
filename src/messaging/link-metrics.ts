import { Counter, Gauge, type Registry } from 'prom-client';
import type { FailureReason } from './connect-failure.js';

export interface LinkMetrics {
  connects: Counter;
  failures: Counter<'reason'>;
  denials: Counter<'operation'>;
}

const REASONS: FailureReason[] = ['unreachable', 'timeout', 'tls', 'authentication', 'files', 'refused'];

export function createLinkMetrics(registry: Registry, isConnected: () => boolean): LinkMetrics {
  const registers = [registry];
  new Gauge({
    name: 'epr_nats_connected',
    help: '1 while there is a connection to NATS.',
    registers,
    collect() {
      this.set(isConnected() ? 1 : 0);
    },
  });
  const failures = new Counter({
    name: 'epr_nats_connect_failures_total',
    help: 'Attempts to connect to a server of NATS that failed, by what was in the way.',
    labelNames: ['reason'] as const,
    registers,
  });
  for (const reason of REASONS) failures.inc({ reason }, 0);
  return {
    failures,
    connects: new Counter({
      name: 'epr_nats_connects_total',
      help: 'Connections made to NATS; all but the first are after one that ended.',
      registers,
    }),
    denials: new Counter({
      name: 'epr_nats_denials_total',
      help: 'Publishes and subscriptions that the server refused for want of permission.',
      labelNames: ['operation'],
      registers,
    }),
  };
}
