import { childArgument, serveParent } from '../children.js';
import { readFleet, walkOf } from '../fleet.js';
import { measureRequests, type RequestRun, type RequestRunResult } from './requests.js';

/** The client of the contests of reads: the endpoints of the fleet one after the other, not in the order of their ids. */
const fleet = readFleet(childArgument<{ endpoints: number }>().endpoints);
const bare = requestsWith(() => '');
const authorized = new Map<string, Buffer[]>();
let at = 0;

/** Each endpoint is asked for with a token: that of its place in the fleet, by `each` of them. */
async function authorize(given: { contestant: string; tokens: string[]; each: number }): Promise<void> {
  const { contestant, tokens, each } = given;
  authorized.set(
    contestant,
    requestsWith((place) => `Authorization: Bearer ${tokens[Math.floor(place / each)]!}\r\n`),
  );
}

function requestsWith(header: (place: number) => string): Buffer[] {
  return Array.from(walkOf(fleet.length), (place) =>
    Buffer.from(
      `GET /api/v1/endpoints/${fleet[place]!.endpointId}/metadata HTTP/1.1\r\nHost: 127.0.0.1\r\n${header(place)}Connection: keep-alive\r\n\r\n`,
      'latin1',
    ),
  );
}

async function run(wanted: RequestRun): Promise<RequestRunResult> {
  const requests = authorized.get(wanted.contestant) ?? bare;
  return measureRequests(wanted, () => ({
    next: () => requests[at++ % requests.length]!,
    answered: () => undefined,
  }));
}

serveParent({}, { run, authorize });
