import { childArgument, serveParent } from '../children.js';
import { readFleet, walkOf } from '../fleet.js';
import { measureRequests, type RequestRun, type RequestRunResult } from './requests.js';

/** The client of the contest of reads: the endpoints of the fleet one after the other, not in the order of their ids. */
const fleet = readFleet(childArgument<{ endpoints: number }>().endpoints);
const requests = Array.from(walkOf(fleet.length), (place) =>
  Buffer.from(
    `GET /api/v1/endpoints/${fleet[place]!.endpointId}/metadata HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n`,
    'latin1',
  ),
);
let at = 0;

async function run(wanted: RequestRun): Promise<RequestRunResult> {
  return measureRequests(wanted, () => ({
    next: () => requests[at++ % requests.length]!,
    answered: () => undefined,
  }));
}

serveParent({}, { run });
