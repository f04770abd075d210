import { setTimeout as sleep } from 'node:timers/promises';
import { createHttpClient, type HttpAnswer, retryAfterMs } from '../../src/cli/http.js';
import type { Result } from './ledger.js';

export interface ApiRequest {
  method: string;
  path: string;
  type?: string;
  body?: unknown;
}

/** REST of registers that go away and come back: each request goes to the next of them. */
export interface Api {
  /** Once, of the first that listens. `unreached`: nobody did; `lost`: no whole answer came. */
  once(request: ApiRequest): Promise<HttpAnswer | 'unreached' | 'lost'>;
  /** Until there is an answer that is none of 429, 500, 503; `again`: one before may have been carried out. */
  persistently(request: ApiRequest): Promise<HttpAnswer & { again: boolean }>;
  close(): void;
}

const AGAIN_MS = 50;
const TRY_LATER = new Set([429, 500, 503]);

/** @param isHeld whether one stands still: then it is not asked to read, as long as there are others */
export function createApi(urls: readonly string[], isHeld: (register: number) => boolean = () => false): Api {
  const clients = urls.map((url) => createHttpClient(new URL(url), undefined));
  let turn = 0;

  const ask = async (
    client: (typeof clients)[number],
    { method, path, type = 'application/json', body }: ApiRequest,
  ) => {
    try {
      return await client.request({
        method,
        path: `/api/v1${path}`,
        // no time limit: an answer that does not come is one of a process that was killed, which breaks the connection;
        // what is lost was carried out by then, or is on its way to the database, which refuses it after a later one
        ...(body === undefined ? {} : { headers: { 'content-type': type }, body: JSON.stringify(body) }),
      });
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'unreached' : 'lost';
    }
  };

  const once: Api['once'] = async (request) => {
    const first = turn++;
    const inTurn = clients.map((_, i) => (first + i) % clients.length);
    const awake = request.method === 'GET' ? inTurn.filter((i) => !isHeld(i)) : [];
    for (const i of new Set([...awake, ...inTurn])) {
      const answer = await ask(clients[i]!, request);
      if (answer !== 'unreached') return answer;
    }
    return 'unreached';
  };

  return {
    once,
    close: () => clients.forEach((client) => client.close()),
    async persistently(request) {
      for (let again = false; ;) {
        const answer = await once(request);
        if (typeof answer !== 'string' && !TRY_LATER.has(answer.status)) return { ...answer, again };
        if (answer !== 'unreached') again = true;
        await sleep(
          typeof answer === 'string' ? AGAIN_MS : Math.min(1000, retryAfterMs(answer.headers, AGAIN_MS)),
        );
      }
    },
  };
}

/** What an answer to a write says of it. @throws Error when the write was wrong in itself */
export function resultOf(answer: HttpAnswer | 'unreached' | 'lost'): Result {
  if (answer === 'unreached') return 'refused';
  if (answer === 'lost') return 'unknown';
  return resultOfStatus(answer.status, () => answer.body.toString());
}

/** Of a status over REST or NATS. @throws Error as `resultOf` */
export function resultOfStatus(status: number, detail: () => string): Result {
  if (status >= 200 && status < 300) return 'acknowledged';
  if (status === 429) return 'refused';
  if (status === 500 || status === 503) return 'unknown';
  throw new Error(`a write was answered ${status}: ${detail()}`);
}
