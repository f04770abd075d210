import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ServedRequest } from './definition.js';

/** What is counted of one kind of request. */
export interface RequestMetrics {
  answered(status: number, seconds: number): void;
  dropped(reason: DropReason): void;
}

/**
 * `unanswerable`: a question without a reply subject, or an answer that could not be sent. What a write did, it did.
 */
export type DropReason = 'expired' | 'undecodable' | 'unanswerable';

export interface ServedMetrics {
  of(request: ServedRequest): RequestMetrics;
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function createServedMetrics(
  registry: Registry,
  load: { underWay: () => number; waiting: () => number },
): ServedMetrics {
  const registers = [registry];
  const answered = new Counter({
    name: 'epr_nats_requests_total',
    help: 'Requests over NATS that were carried out or refused, by protocol, request and status code.',
    labelNames: ['protocol', 'request', 'status'],
    registers,
  });
  const dropped = new Counter({
    name: 'epr_nats_requests_dropped_total',
    help: 'Requests over NATS without an answer: expired, undecodable, unanswerable (no reply subject, or the answer could not be sent).',
    labelNames: ['protocol', 'request', 'reason'],
    registers,
  });
  const durations = new Histogram({
    name: 'epr_nats_request_duration_seconds',
    help: 'Time from the arrival of a request over NATS to its answer.',
    labelNames: ['protocol', 'request'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  new Gauge({
    name: 'epr_nats_requests_under_way',
    help: 'Requests over NATS that are being carried out; each command of a batch counts.',
    registers,
    collect() {
      this.set(load.underWay());
    },
  });
  new Gauge({
    name: 'epr_nats_requests_waiting',
    help: 'Requests over NATS that wait for others.',
    registers,
    collect() {
      this.set(load.waiting());
    },
  });
  return {
    of({ protocol, name: request }) {
      const byStatus = new Map<number, Counter.Internal>();
      const duration = durations.labels({ protocol, request });
      return {
        answered(status, seconds) {
          let counter = byStatus.get(status);
          if (counter === undefined) {
            counter = answered.labels({ protocol, request, status: String(status) });
            byStatus.set(status, counter);
          }
          counter.inc();
          duration.observe(seconds);
        },
        dropped: (reason) => dropped.inc({ protocol, request, reason }),
      };
    },
  };
}
