import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { PeerLimits, UnavailableCause } from './types.js';

/** In the place of a body that has more than `maxAnswerBytes`. */
export const TOO_LARGE = Symbol('too large');

/** One request and what the network made of it. */
export type Exchanged =
  | { kind: 'answered'; status: number; body: Uint8Array | typeof TOO_LARGE; retryAfterMs?: number }
  | {
      kind: 'failed';
      cause: Extract<UnavailableCause, 'unreachable' | 'timeout' | 'broken' | 'cancelled'>;
      message: string;
      /** false: surely not a byte of it */
      sent: boolean;
    };

export interface WireRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** from the wait for a free connection to the last byte */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Wire {
  /** Never rejects. */
  exchange(request: WireRequest): Promise<Exchanged>;
  close(): Promise<void>;
}

/** A pool of connections to one origin, that are kept alive; redirects are not followed. */
export function createWire(origin: string, limits: PeerLimits): Wire {
  // the client itself does not say whether an error came before anything could be sent
  const neverConnected = new WeakSet<Error>();
  const connector = buildConnector({ timeout: limits.connectMs });
  const pool = new Pool(origin, {
    connections: limits.connections,
    pipelining: 1,
    maxResponseSize: limits.maxAnswerBytes,
    // the signal has finer time limits, over all of it
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options: buildConnector.Options, callback: buildConnector.Callback) =>
      connector(options, (...[error, socket]: Parameters<buildConnector.Callback>) => {
        if (error === null) return callback(null, socket);
        neverConnected.add(error);
        callback(error, null);
      }),
  });

  return {
    async exchange({ method, path, headers, body, timeoutMs, signal }) {
      if (signal?.aborted === true)
        return { kind: 'failed', cause: 'cancelled', message: 'called off', sent: false };
      const abort = new AbortController();
      const callOff = () => abort.abort();
      signal?.addEventListener('abort', callOff);
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        abort.abort();
      }, timeoutMs);
      let status: number | undefined;
      try {
        const answer = await pool.request({
          method: method as Dispatcher.HttpMethod,
          path,
          headers,
          body: body ?? null,
          signal: abort.signal,
        });
        status = answer.statusCode;
        const retryAfterMs = readRetryAfter(answer.headers['retry-after']);
        return {
          kind: 'answered',
          status,
          body: new Uint8Array(await answer.body.arrayBuffer()),
          ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        };
      } catch (thrown) {
        const error = thrown as Error & { code?: string };
        const failed = { kind: 'failed' as const, sent: !neverConnected.has(error) };
        if (late) return { ...failed, cause: 'timeout', message: `no whole answer within ${timeoutMs} ms` };
        if (abort.signal.aborted || pool.destroyed)
          return { ...failed, cause: 'cancelled', message: 'called off' };
        if (error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' && status !== undefined)
          return { kind: 'answered', status, body: TOO_LARGE };
        return { ...failed, cause: failed.sent ? 'broken' : 'unreachable', message: wordsOf(error) };
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', callOff);
      }
    },
    close: () => pool.destroy(),
  };
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
export function readRetryAfter(
  header: string | string[] | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

/** A host with several addresses fails once for each, and says nothing by itself. */
function wordsOf(error: Error & { code?: string }): string {
  const all = error instanceof AggregateError ? (error.errors as Error[]) : [error];
  return all.map(({ message }) => message).join('; ') || (error.code ?? error.name);
}
