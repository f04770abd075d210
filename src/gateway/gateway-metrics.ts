import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ConnectionLimit } from './wire/connection-limit.js';
import type { Exchange } from './wire/exchange.js';

/** What is counted of one route; made once for each. */
export interface RouteMetrics {
  end(exchange: Exchange, status: number): void;
}

export interface GatewayMetrics {
  forRoute(method: string, path: string): RouteMetrics;
  begin(): void;
  /** readers of live events: too slow, come back, told of a gap */
  readonly subscribers: { dropped: Counter; resumed: Counter; gaps: Counter };
  /** requests that are not answered yet, live streams included */
  readonly inFlight: number;
}

/** What was counted since the metrics were last read: adding to a labelled counter builds its key anew each time. */
interface RouteTally {
  readonly labels: { route: string; method: string };
  readonly byStatus: Map<number, number>;
  bytesIn: number;
  bytesOut: number;
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** What is asked when the metrics are read. */
export interface GatewayGauges {
  /** readers of live events */
  subscribers: () => number;
  connections: () => ConnectionLimit;
}

export function createGatewayMetrics(
  registry: Registry,
  { subscribers, connections }: GatewayGauges,
): GatewayMetrics {
  const registers = [registry];
  const tallies: RouteTally[] = [];
  let inFlight = 0;
  new Counter({
    name: 'epr_http_requests_total',
    help: 'Requests by route, method and status; status 0: the client went away first.',
    labelNames: ['route', 'method', 'status'],
    registers,
    collect() {
      for (const { labels, byStatus } of tallies) {
        for (const [status, count] of byStatus) this.inc({ ...labels, status: String(status) }, count);
        byStatus.clear();
      }
    },
  });
  const durations = new Histogram({
    name: 'epr_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    labelNames: ['route', 'method'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  new Counter({
    name: 'epr_http_request_bytes_total',
    help: 'Bytes of request bodies.',
    labelNames: ['route', 'method'],
    registers,
    collect() {
      for (const tally of tallies) {
        if (tally.bytesIn > 0) this.inc(tally.labels, tally.bytesIn);
        tally.bytesIn = 0;
      }
    },
  });
  new Counter({
    name: 'epr_http_response_bytes_total',
    help: 'Bytes of answers, without headers.',
    labelNames: ['route', 'method'],
    registers,
    collect() {
      for (const tally of tallies) {
        if (tally.bytesOut > 0) this.inc(tally.labels, tally.bytesOut);
        tally.bytesOut = 0;
      }
    },
  });
  const readers = {
    dropped: new Counter({
      name: 'epr_http_event_subscribers_dropped_total',
      help: 'Live event readers that were too slow.',
      registers,
    }),
    resumed: new Counter({
      name: 'epr_http_event_subscribers_resumed_total',
      help: 'Live event readers that came with the id of the last event that they had.',
      registers,
    }),
    gaps: new Counter({
      name: 'epr_http_event_gaps_total',
      help: 'Times that a live event reader was told that events may be missing.',
      registers,
    }),
  };
  new Gauge({
    name: 'epr_http_requests_in_flight',
    help: 'Requests that are not answered yet, live streams included.',
    registers,
    collect() {
      this.set(inFlight);
    },
  });
  new Gauge({
    name: 'epr_http_connections',
    help: 'Connections to the REST port, WebSockets included.',
    registers,
    collect() {
      this.set(connections().open);
    },
  });
  let refused = 0;
  new Counter({
    name: 'epr_http_connections_refused_total',
    help: 'Connections that were closed at once, as there were server.max-connections.',
    registers,
    collect() {
      this.inc(connections().refused - refused);
      refused = connections().refused;
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
    subscribers: readers,
    forRoute(method, route) {
      const labels = { route, method };
      const duration = durations.labels(labels);
      const tally: RouteTally = { labels, byStatus: new Map(), bytesIn: 0, bytesOut: 0 };
      tallies.push(tally);
      return {
        end(exchange, status) {
          inFlight--;
          tally.byStatus.set(status, (tally.byStatus.get(status) ?? 0) + 1);
          tally.bytesIn += exchange.bytesIn;
          tally.bytesOut += exchange.bytesOut;
          duration.observe((performance.now() - exchange.startedAt) / 1000);
        },
      };
    },
  };
}
