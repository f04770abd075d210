import autocannon from 'autocannon';
import { percentile, Series } from '../statistics.js';

/** One run against one server, by autocannon, pipelining 1. */
export interface RequestRun {
  contestant: string;
  url: string;
  connections: number;
  /** of what put-client writes: see WAVE_STEPS; hourly when absent */
  waveStep?: number;
  /** whole seconds: autocannon looks at its clock once a second */
  seconds: number;
}

export interface RequestRunResult {
  acknowledged: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  /** answers that were not 200, broken connections, timeouts */
  failures: number;
}

/** What one connection sends: the next request, when the one before is answered. */
export interface Requests {
  next(): Buffer;
  /** 200 */
  answered(): void;
}

/** What autocannon's clients have, beside what its types tell. */
interface Connection {
  getRequestBuffer(): Buffer;
  on(event: 'response', listener: (status: number, bytes: number, durationMs: number) => void): void;
}

/**
 * autocannon builds a request that changes anew from objects and counts time in whole milliseconds. Here its connections are
 * given the bytes to send, and each time is kept: that costs less of the processors that the servers share, and tells more.
 */
export async function measureRequests(
  { url, connections, seconds }: RequestRun,
  createRequests: () => Requests,
): Promise<RequestRunResult> {
  const times = new Series();
  let failures = 0;
  let acknowledged = 0;
  let lastMs = 0;

  const setupClient = (client: unknown): void => {
    const connection = client as Connection;
    const requests = createRequests();
    connection.getRequestBuffer = () => requests.next();
    connection.on('response', (status, _bytes, durationMs) => {
      lastMs = performance.now();
      if (status !== 200) {
        failures++;
        return;
      }
      acknowledged++;
      times.add(durationMs);
      requests.answered();
    });
  };
  const startMs = performance.now();
  const result = await autocannon({
    url,
    connections,
    pipelining: 1,
    duration: seconds,
    timeout: 30,
    setupClient,
  });
  const sorted = times.sorted();
  return {
    acknowledged,
    seconds: (lastMs - startMs) / 1000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    maxMs: percentile(sorted, 1),
    failures: failures + result.errors + result.timeouts,
  };
}
