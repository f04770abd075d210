import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Exchange } from './wire/exchange.js';

/** What is counted of one route; made once for each, so that a request looks nothing up but its status. */
export interface RouteMetrics {
  end(exchange: Exchange, status: number): void;
}

export interface GatewayMetrics {
  forRoute(method: string, path: string): RouteMetrics;
  begin(): void;
  droppedSubscriber(): void;
  /** requests that are not answered yet, live streams included */
  readonly inFlight: number;
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function createGatewayMetrics(registry: Registry, subscribers: () => number): GatewayMetrics {
  const registers = [registry];
  let inFlight = 0;
  const requests = new Counter({
    name: 'epr_http_requests_total',
    help: 'Requests by route, method and status; status 0: the client went away first.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'epr_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route', 'method'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  const received = new Counter({
    name: 'epr_http_request_bytes_total',
    help: 'Bytes of request bodies.',
    labelNames: ['route', 'method'],
    registers,
  });
  const sent = new Counter({
    name: 'epr_http_response_bytes_total',
    help: 'Bytes of answers, without headers.',
    labelNames: ['route', 'method'],
    registers,
  });
  const dropped = new Counter({
    name: 'epr_http_event_subscribers_dropped_total',
    help: 'Live event readers that were too slow.',
    registers,
  });
  new Gauge({
    name: 'epr_http_requests_in_flight',
    help: 'Requests that are not answered yet, live streams included.',
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  new Gauge({
    name: 'epr_http_event_subscribers',
    help: 'Live event readers.',
    registers,
    collect() {
      this.set(subscribers());
    },
  });
  return {
    get inFlight() {
      return inFlight;
    },
    begin() {
      inFlight++;
    },
    droppedSubscriber: () => dropped.inc(),
    forRoute(method, route) {
      const labels = { route, method };
      const duration = durations.labels(labels);
      const bytesIn = received.labels(labels);
      const bytesOut = sent.labels(labels);
      const byStatus = new Map<number, { inc(): void }>();
      return {
        end(exchange, status) {
          inFlight--;
          let count = byStatus.get(status);
          if (count === undefined)
            byStatus.set(status, (count = requests.labels({ ...labels, status: String(status) })));
          count.inc();
          duration.observe((performance.now() - exchange.startedAt) / 1000);
          if (exchange.bytesIn > 0) bytesIn.inc(exchange.bytesIn);
          if (exchange.bytesOut > 0) bytesOut.inc(exchange.bytesOut);
        },
      };
    },
  };
}
