import { childArgument, serveParent } from '../children.js';
import { KEY, readFleet, temperatureText, walkOf } from '../fleet.js';
import { measureRequests, type RequestRun, type RequestRunResult } from './requests.js';

/** The client of the contests of single writes: one process for all contestants, so that all have the same one, compiled and warm. */

/** Number of the last change of each endpoint, by its place in the fleet; 0: none. */
export interface Changes {
  sent: Uint32Array;
  acknowledged: Uint32Array;
  /** answered with 200, in all runs */
  total: number;
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

async function run(wanted: RequestRun): Promise<RequestRunResult> {
  let changes = changesOf.get(wanted.contestant);
  if (changes === undefined) {
    changes = {
      sent: new Uint32Array(fleet.length),
      acknowledged: new Uint32Array(fleet.length),
      total: 0,
      at: 0,
    };
    changesOf.set(wanted.contestant, changes);
  }
  const { sent, acknowledged } = changes;
  const result = await measureRequests(wanted, () => {
    let endpoint = 0;
    let change = 0;
    return {
      next() {
        endpoint = walk[changes.at++ % walk.length]!;
        change = ++sent[endpoint]!;
        const value = temperatureText(bases[endpoint]!, endpoint, change, wanted.waveStep);
        return Buffer.from(`${heads[endpoint]!}${value.length}\r\n\r\n${value}`, 'latin1');
      },
      answered() {
        if (change > acknowledged[endpoint]!) acknowledged[endpoint] = change;
      },
    };
  });
  changes.total += result.acknowledged;
  return result;
}

async function changes(contestant: string): Promise<Changes> {
  const { sent, acknowledged, total } = changesOf.get(contestant)!;
  return { sent, acknowledged, total };
}

serveParent({}, { run, changes });
