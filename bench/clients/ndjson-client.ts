import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { childArgument, serveParent } from '../children.js';
import { readFleet } from '../fleet.js';
import type { JsonObject } from '../../src/model/json.js';
import { createObservationLines, type ObservationLine } from './observation-lines.js';

/** One streamed batch: lines are sent as fast as they are taken, results are read meanwhile. */
export interface StreamRun {
  url: string;
  seconds: number;
}

export interface StreamRunResult {
  lines: number;
  /** from the first byte sent to the last result */
  seconds: number;
}

const LINES_AT_ONCE = 64;
const NEWLINE = 10;

const fleet = readFleet(childArgument<{ endpoints: number }>().endpoints);
const nextLine = createObservationLines(new Set(fleet.map(({ endpointId }) => endpointId)));
/** Last line of each endpoint: all have all keys but those that it lacks, which keep their former value. */
const expected = new Map(fleet.map(({ endpointId, metadata }) => [endpointId, { ...metadata }]));

async function run({ url, seconds }: StreamRun): Promise<StreamRunResult> {
  const upload = request(`${url}/api/v1/endpoints/metadata/batch`, {
    method: 'POST',
    // A connection of its own: one that waited since the last run may be closed by now.
    agent: false,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1000;
  const sending = send(
    () => performance.now() < untilMs,
    (text) => upload.write(text),
    () => once(upload, 'drain'),
  ).finally(() => upload.end());
  const [response] = await answered;
  if (response.statusCode !== 200) throw new Error(`The batch was answered with ${response.statusCode}`);
  const results = await countResults(response);
  const lines = await sending;
  const took = (performance.now() - startMs) / 1000;
  if (results !== lines.length)
    throw new Error(`${lines.length} lines were sent, and ${results} results came`);
  for (const { endpointId, set } of lines) Object.assign(expected.get(endpointId)!, set());
  return { lines: lines.length, seconds: took };
}

async function send(
  goesOn: () => boolean,
  write: (text: string) => boolean,
  drained: () => Promise<unknown>,
): Promise<ObservationLine[]> {
  const sent: ObservationLine[] = [];
  while (goesOn()) {
    let text = '';
    for (let i = 0; i < LINES_AT_ONCE; i++) {
      const line = nextLine();
      sent.push(line);
      text += line.text;
    }
    if (!write(text)) await drained();
    else await new Promise(setImmediate);
  }
  return sent;
}

/** Every result must be that of a change: `{"endpointId":...,"status":200,"etag":...}`. */
async function countResults(response: IncomingMessage): Promise<number> {
  let results = 0;
  let rest = Buffer.alloc(0);
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = bytes.toString('latin1', start, end);
      if (!line.includes('"status":200')) throw new Error(`A line was refused: ${line}`);
      results++;
      start = end + 1;
    }
    rest = Buffer.from(bytes.subarray(start));
  }
  return results;
}

async function expectedMetadata(): Promise<Map<string, JsonObject>> {
  return expected;
}

serveParent({}, { run, expectedMetadata });
