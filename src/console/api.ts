import type { Answer, Fault, FaultDetail } from './api-types.js';
import type { Credentials } from './sign-in/credentials.js';

export type QueryValue = string | number | undefined;

export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** under `/api/v1/`, its parts percent-encoded */
  path: string;
  query?: Readonly<Record<string, QueryValue>>;
  /** sent as JSON */
  body?: unknown;
  /** JSON as it stands, instead of `body` */
  text?: string;
  contentType?: string;
  ifMatch?: string;
  idempotencyKey?: string;
  signal?: AbortSignal;
}

/** The one way to the service: everything that is asked of it goes through here. */
export interface Api {
  /** Never rejects. Waits and tries again, a few times, where the service says that nothing was done. */
  request<T>(request: ApiRequest): Promise<Answer<T>>;
  /** An answer that goes on, such as live events; what is no success is a fault. */
  stream(request: ApiRequest, headers: Record<string, string>): Promise<Answer<ReadableStream<Uint8Array>>>;
}

/** The types of Node, which the tests of it run in, do not know it. */
const NO_CACHE: object = { cache: 'no-store' };
const ATTEMPTS = 4;
const LONGEST_WAIT_MS = 10_000;
const UNREACHABLE_RETRY_MS = 3000;

/**
 * @param base URL of the interface, with a slash at its end
 * @param credentials of who asks; absent: nobody
 */
export function createApi(base: URL, credentials?: Credentials): Api {
  /** Once more with another token, where the service does not take the first. */
  async function send(request: ApiRequest, headers: Record<string, string>): Promise<Response | Fault> {
    for (let attempt = 1; ; attempt++) {
      const granted = await credentials?.token();
      if (granted !== undefined && 'fault' in granted) return granted.fault;
      const token = granted?.token;
      const response = await sendWith(token, request, headers);
      const isLast = attempt === 2 || credentials === undefined;
      if (response.status !== 401 || isLast || !(await credentials.replace(token))) return response;
    }
  }

  async function sendWith(
    token: string | undefined,
    request: ApiRequest,
    headers: Record<string, string>,
  ): Promise<Response> {
    const { method = 'GET', path, query = {}, body, text, ifMatch, idempotencyKey, signal } = request;
    const url = new URL(path, base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined && value !== '') url.searchParams.append(name, String(value));
    const content = text ?? (body === undefined ? undefined : JSON.stringify(body));
    const all = { ...headers };
    if (token !== undefined) all['Authorization'] = `Bearer ${token}`;
    if (content !== undefined) all['Content-Type'] = request.contentType ?? 'application/json';
    if (ifMatch !== undefined) all['If-Match'] = ifMatch;
    if (idempotencyKey !== undefined) all['Idempotency-Key'] = idempotencyKey;
    return fetch(url, {
      method,
      headers: all,
      ...NO_CACHE,
      ...(content === undefined ? {} : { body: content }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  return {
    async request<T>(request: ApiRequest): Promise<Answer<T>> {
      const reads = (request.method ?? 'GET') === 'GET';
      for (let attempt = 1; ; attempt++) {
        const answer = await once<T>(() => send(request, { Accept: 'application/json' }));
        if (answer.ok || attempt === ATTEMPTS || request.signal?.aborted === true) return answer;
        const { status, code, retryAfterMs } = answer.fault;
        // after a storage that went away it is not known whether a write was done
        const undone = status === 429 || code === 'stopping' || (reads && status === 503);
        if (!undone) return answer;
        await pause(Math.min(retryAfterMs ?? 1000, LONGEST_WAIT_MS), request.signal);
      }
    },
    async stream(request, headers) {
      try {
        const response = await send(request, headers);
        if (!(response instanceof Response)) return { ok: false, fault: response };
        if (!response.ok || response.body === null) return { ok: false, fault: await faultOf(response) };
        return { ok: true, value: response.body };
      } catch (error) {
        return { ok: false, fault: noAnswer(error) };
      }
    },
  };
}

async function once<T>(send: () => Promise<Response | Fault>): Promise<Answer<T>> {
  try {
    const response = await send();
    if (!(response instanceof Response)) return { ok: false, fault: response };
    if (!response.ok) return { ok: false, fault: await faultOf(response) };
    const text = await response.text();
    const etag = response.headers.get('ETag');
    const value = (text === '' ? undefined : JSON.parse(text)) as T;
    return etag === null ? { ok: true, value } : { ok: true, value, etag };
  } catch (error) {
    return { ok: false, fault: noAnswer(error) };
  }
}

async function faultOf(response: Response): Promise<Fault> {
  const { status } = response;
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  const retry = Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
  try {
    const { message, code, details } = JSON.parse(await response.text()) as {
      message: string;
      code: string;
      details?: FaultDetail[];
    };
    return { status, code, message, details: details ?? [], ...retry };
  } catch {
    const message = `The service, or something before it, answered ${status} without saying why.`;
    return { status, code: `http-${status}`, message, details: [], ...retry };
  }
}

function noAnswer(error: unknown): Fault {
  if (error instanceof DOMException && error.name === 'AbortError')
    return { status: 0, code: 'aborted', message: 'The request was given up.', details: [] };
  return {
    status: 0,
    code: 'unreachable',
    message: 'The service does not answer. It may be restarting, or the network is away.',
    details: [],
    retryAfterMs: UNREACHABLE_RETRY_MS,
  };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
