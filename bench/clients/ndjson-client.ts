import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { childArgument, serveParent } from '../children.js';
import { readFleet } from '../fleet.js';
import type { JsonObject } from '../../src/model/json.js';
import { createMetadataLines, type LineKind, type MetadataLine } from './observation-lines.js';

/** One streamed batch: lines are sent as fast as they are taken, results are read meanwhile. */
export interface StreamRun {
  contestant: string;
  url: string;
  seconds: number;
}

export interface StreamRunResult {
  lines: number;
  /** from the first byte sent to the last result */
  seconds: number;
  /** that the lines named, and those of them whose values they changed; by the means of all lines */
  keysSet: number;
  keysChanged: number;
}

const BYTES_AT_ONCE = 32 * 1024;
const STATUS = '"status":200';

const { endpoints, kind } = childArgument<{ endpoints: number; kind: LineKind }>();
const fleet = readFleet(endpoints);
const source = createMetadataLines(new Set(fleet.map(({ endpointId }) => endpointId)), kind);
/** By contestant: the metadata of each endpoint after all lines that were answered. */
const expectedOf = new Map<string, Map<string, JsonObject>>();

async function run({ contestant, url, seconds }: StreamRun): Promise<StreamRunResult> {
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
  const expected =
    expectedOf.get(contestant) ??
    new Map(fleet.map(({ endpointId, metadata }) => [endpointId, { ...metadata }]));
  expectedOf.set(contestant, expected);
  for (const { endpointId, set } of lines) Object.assign(expected.get(endpointId)!, set());
  return {
    lines: lines.length,
    seconds: took,
    keysSet: lines.length * source.keysSet,
    keysChanged: lines.length * source.keysChanged,
  };
}

async function send(
  goesOn: () => boolean,
  write: (text: string) => boolean,
  drained: () => Promise<unknown>,
): Promise<MetadataLine[]> {
  const sent: MetadataLine[] = [];
  while (goesOn()) {
    let text = '';
    while (text.length < BYTES_AT_ONCE) {
      const line = source.next();
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
  let rest = '';
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const text = rest + chunk.toString('latin1');
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      const status = text.indexOf(STATUS, start);
      if (status === -1 || status > end) throw new Error(`A line was refused: ${text.slice(start, end)}`);
      results++;
      start = end + 1;
    }
    rest = text.slice(start);
  }
  return results;
}

async function expectedMetadata(contestant: string): Promise<Map<string, JsonObject>> {
  return expectedOf.get(contestant)!;
}

serveParent({}, { run, expectedMetadata });
