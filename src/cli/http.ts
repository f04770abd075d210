import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { Credential } from './credential.js';
import { CliFailure } from './failure.js';

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

export interface HttpRequest {
  method: string;
  /** below the base address, such as `/api/v1/endpoints` */
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  signal?: AbortSignal;
}

/** Speaks to one register, over connections that are kept. */
export interface HttpClient {
  /**
   * Rejects when no whole answer came; any status is an answer, but for 401 when there is no other token to try:
   * a {@link CliFailure}.
   */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** A request whose body is still to be written, for streams. Wait for {@link ready} before. */
  open(request: Omit<HttpRequest, 'body'>): http.ClientRequest;
  /** `undefined`: the token is good for a while. Rejects with a {@link CliFailure} when a login has ended. */
  ready(): Promise<void> | undefined;
  /** Whether what is sent now is about to end, and can be renewed. */
  isEnding(): boolean;
  /** What is sent now. */
  token(): string | undefined;
  /** An answer of 401 to what {@link open} began with this token. Rejects with a {@link CliFailure} if no other one is to be had. */
  refused(token: string | undefined, answer: Pick<HttpAnswer, 'status' | 'body'>): Promise<void>;
  close(): void;
}

/** Less than the 10 s after which the register closes an idle connection: a request must not meet that. */
const IDLE_MS = 5_000;

/** @param credential absent: no token is ever sent */
export function createHttpClient(base: URL, credential?: Credential): HttpClient {
  const library = base.protocol === 'https:' ? https : http;
  const agent = new library.Agent({ keepAlive: true, timeout: IDLE_MS });
  const prefix = base.pathname.replace(/\/+$/, '');

  const open: HttpClient['open'] = ({ method, path, headers, signal }) => {
    // one signal ends all requests under way, however many those are
    if (signal !== undefined) setMaxListeners(0, signal);
    const token = credential?.current();
    return library.request({
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      method,
      path: prefix + path,
      agent,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
  };

  const send = (asked: HttpRequest): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const body = asked.body === undefined ? undefined : Buffer.from(asked.body);
      const headers =
        body === undefined ? asked.headers : { 'content-length': String(body.length), ...asked.headers };
      const sent = open({ ...asked, headers: headers ?? {} });
      sent.on('error', reject);
      sent.on('response', (answer) => {
        readBody(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
          reject,
        );
      });
      sent.end(body);
    });

  const refused: HttpClient['refused'] = async (token, answer) => {
    if ((await credential?.replace(token)) !== true) throw unauthenticated(answer, credential);
  };

  return {
    open,
    refused,
    ready: () => credential?.freshen(),
    isEnding: () => credential?.isEnding() ?? false,
    token: () => credential?.current(),
    close: () => agent.destroy(),
    async request(asked) {
      await credential?.freshen();
      const token = credential?.current();
      const answer = await send(asked);
      if (answer.status !== 401) return answer;
      await refused(token, answer);
      const second = await send(asked);
      if (second.status === 401) throw unauthenticated(second, credential);
      return second;
    },
  };
}

function unauthenticated(
  answer: Pick<HttpAnswer, 'status' | 'body'>,
  credential: Credential | undefined,
): CliFailure {
  const what = credential?.current() === undefined ? 'asks for a token' : 'refuses the token';
  const { message } = errorOf(answer);
  return new CliFailure(`The register ${what} (401): ${message} ${credential?.remedy ?? ''}`.trimEnd());
}

export async function readBody(answer: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** `Retry-After` in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(headers: http.IncomingHttpHeaders, otherwise: number): number {
  const text = headers['retry-after'];
  if (text === undefined) return otherwise;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? otherwise : Math.max(0, atMs - Date.now());
}

export interface ErrorBody {
  code?: string;
  message?: string;
  details?: { path: string; message: string }[];
}

/** What an error answer says, whatever its form: a proxy in between may answer with HTML. */
export function errorOf(answer: Pick<HttpAnswer, 'status' | 'body'>): ErrorBody & { message: string } {
  const text = answer.body.toString('utf8');
  try {
    const parsed = JSON.parse(text) as ErrorBody | null;
    if (typeof parsed === 'object' && parsed !== null && typeof parsed.message === 'string')
      return { ...parsed, message: parsed.message };
  } catch {
    // not JSON: said below
  }
  return { message: text === '' ? `status ${answer.status}` : text.slice(0, 200).replaceAll(/\s+/g, ' ') };
}
