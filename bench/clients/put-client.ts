import autocannon from 'autocannon';
import { childArgument, serveParent } from '../children.js';
import { KEY, readFleet, temperatureText, walkOf } from '../fleet.js';
import { percentile, Series } from '../statistics.js';

/**
 * The client of the contests of single writes: autocannon, pipelining 1, one process for all contestants, so that all have
 * the same one, compiled and warm.
 *
 * autocannon builds a request that changes anew from objects and counts time in whole milliseconds. Here its connections are
 * given the bytes to send, and each time is kept: that costs less of the processors that the servers share, and tells more.
 */
export interface PutRun {
  contestant: string;
  url: string;
  connections: number;
  /** whole seconds: autocannon looks at its clock once a second */
  seconds: number;
}

export interface PutRunResult {
  acknowledged: number;
  seconds: number;
  p50Ms: number;
  p99Ms: number;
  /** answers that were not 200, broken connections, timeouts */
  failures: number;
}

/** Number of the last change of each endpoint, by its place in the fleet; 0: none. */
export interface Changes {
  sent: Uint32Array;
  acknowledged: Uint32Array;
  /** answered with 200, in all runs */
  total: number;
}

/** What autocannon's clients have, beside what its types tell. */
interface Connection {
  getRequestBuffer(): Buffer;
  on(event: 'response', listener: (status: number, bytes: number, durationMs: number) => void): void;
}

const fleet = readFleet(childArgument<{ endpoints: number }>().endpoints);
const heads = fleet.map(
  ({ endpointId }) =>
    `PUT /api/v1/endpoints/${endpointId}/metadata/${KEY} HTTP/1.1\r\nHost: 127.0.0.1\r\n` +
    'Connection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: ',
);
const bases = fleet.map(({ metadata }) => Number(metadata[KEY]));
// Those that have reported a temperature: what is measured is a change, not a first report, which enters and leaves filters.
const reporting = fleet.flatMap(({ metadata }, i) => (typeof metadata[KEY] === 'number' ? [i] : []));
const walk = walkOf(reporting.length).map((place) => reporting[place]!);
const changesOf = new Map<string, Changes & { at: number }>();

async function run({ contestant, url, connections, seconds }: PutRun): Promise<PutRunResult> {
  let changes = changesOf.get(contestant);
  if (changes === undefined) {
    changes = {
      sent: new Uint32Array(fleet.length),
      acknowledged: new Uint32Array(fleet.length),
      total: 0,
      at: 0,
    };
    changesOf.set(contestant, changes);
  }
  const { sent, acknowledged } = changes;
  const times = new Series();
  let failures = 0;
  let answers = 0;
  let lastMs = 0;

  const setupClient = (client: unknown): void => {
    const connection = client as Connection;
    // pipelining 1: one request is under way
    let endpoint = 0;
    let change = 0;
    connection.getRequestBuffer = () => {
      endpoint = walk[changes.at++ % walk.length]!;
      change = ++sent[endpoint]!;
      const value = temperatureText(bases[endpoint]!, endpoint, change);
      return Buffer.from(`${heads[endpoint]!}${value.length}\r\n\r\n${value}`, 'latin1');
    };
    connection.on('response', (status, _bytes, durationMs) => {
      lastMs = performance.now();
      if (status !== 200) {
        failures++;
        return;
      }
      answers++;
      times.add(durationMs);
      if (change > acknowledged[endpoint]!) acknowledged[endpoint] = change;
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
  changes.total += answers;
  const sorted = times.sorted();
  return {
    acknowledged: answers,
    seconds: (lastMs - startMs) / 1000,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    failures: failures + result.errors + result.timeouts,
  };
}

async function changes(contestant: string): Promise<Changes> {
  const { sent, acknowledged, total } = changesOf.get(contestant)!;
  return { sent, acknowledged, total };
}

serveParent({}, { run, changes });
