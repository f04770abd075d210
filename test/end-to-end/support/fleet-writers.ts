import { createHttpClient, type HttpAnswer } from '../../../src/cli/http.js';
import type { JsonObject } from '../../../src/model/json.js';
import { revisionOf, type Station } from './rest.js';

/** Writes endpoints without a pause, each by one writer at a time, through whichever replica comes next. */
export interface FleetWriters {
  /** what was registered, with what metadata */
  readonly stations: readonly Station[];
  /** the newest revision of each endpoint that was answered */
  revisions(): Map<string, number>;
  /** writes that were answered, and tries that were not, or with 429 or 503 */
  readonly counts: { written: number; failed: number };
  /** Resolves when so many more are written. */
  untilWritten(more: number): Promise<void>;
  /** Ends after what is under way. Rejects with what went wrong. */
  stop(): Promise<void>;
}

export interface FleetWritersOptions {
  urls: readonly string[];
  writers: number;
  /** endpoints of each writer at first; it registers more, up to twice as many */
  endpoints: number;
  version: string;
}

const TIME_LIMIT_MS = 4_000;
const PAUSE_MS = 30;

export async function startWriters({
  urls,
  writers,
  endpoints,
  version,
}: FleetWritersOptions): Promise<FleetWriters> {
  const clients = urls.map((url) => createHttpClient(new URL(url), undefined));
  const stations: Station[] = [];
  const revisions = new Map<string, number>();
  const counts = { written: 0, failed: 0 };
  let stopping = false;
  let turn = 0;
  let random = 1;

  /** The same in every run, if not in the same order. */
  const below = (limit: number): number => {
    random = (random * 48271) % 2147483647;
    return random % limit;
  };

  /** Again and again, through one replica after the other, until it is answered. */
  const insist = async (method: string, path: string, body: unknown): Promise<HttpAnswer> => {
    for (;;) {
      const answer = await clients[turn++ % clients.length]!.request({
        method,
        path,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIME_LIMIT_MS),
      }).catch(() => undefined);
      if (answer !== undefined && answer.status !== 503 && answer.status !== 429) return answer;
      counts.failed++;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };

  const register = async (endpointId: string): Promise<void> => {
    const metadata: JsonObject = { temp: below(40) };
    const body = { endpointId, appVersion: { name: version }, metadata };
    stations.push({ endpointId, appVersion: { name: version }, metadata });
    const { status, body: text } = await insist('POST', '/api/v1/endpoints', body);
    // 409: a try that was not answered was carried out
    if (status !== 201 && status !== 409)
      throw new Error(`the registration of ${endpointId} was answered ${status}: ${text.toString()}`);
    revisions.set(endpointId, 1);
    counts.written++;
  };

  const write = async (endpointId: string): Promise<void> => {
    const path = `/api/v1/endpoints/${endpointId}/metadata/temp`;
    const { status, headers, body } = await insist('PUT', path, below(40));
    if (status !== 200 && status !== 201 && status !== 204)
      throw new Error(`an update of ${endpointId} was answered ${status}: ${body.toString()}`);
    if (headers.etag !== undefined) revisions.set(endpointId, revisionOf(headers.etag));
    counts.written++;
  };

  const names = Array.from({ length: writers }, (_, writer) =>
    Array.from({ length: endpoints }, (_, i) => `w${writer}-e${i}`),
  );
  await Promise.all(names.map(async (own) => Promise.all(own.map(register))));

  const running = names.map(async (own, writer) => {
    while (!stopping) {
      if (own.length < 2 * endpoints && below(8) === 0) {
        const endpointId = `w${writer}-e${own.length}`;
        await register(endpointId);
        own.push(endpointId);
      } else await write(own[below(own.length)]!);
    }
  });
  let fault: unknown;
  const ended = Promise.all(running).catch((error: unknown) => {
    stopping = true;
    fault = error;
  });

  return {
    stations,
    counts,
    revisions: () => new Map(revisions),
    async untilWritten(more) {
      for (const wanted = counts.written + more; counts.written < wanted && !stopping;)
        await new Promise((resolve) => setTimeout(resolve, 10));
    },
    async stop() {
      stopping = true;
      await ended;
      for (const client of clients) client.close();
      if (fault !== undefined) throw fault as Error;
    },
  };
}
