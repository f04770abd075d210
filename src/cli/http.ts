import { setMaxListeners } from 'node:events';
import http from 'node:http';
import https from 'node:https';

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
  /** Rejects when no whole answer came; any status is an answer. */
  request(request: HttpRequest): Promise<HttpAnswer>;
  /** A request whose body is still to be written, for streams. */
  open(request: Omit<HttpRequest, 'body'>): http.ClientRequest;
  close(): void;
}

/** The register's address, for people. */
export function addressOf(url: URL): string {
  return url.href.replace(/\/$/, '');
}

/** Less than the 10 s after which the register closes an idle connection: a request must not meet that. */
const IDLE_MS = 5_000;

export function createHttpClient(base: URL, token: string | undefined): HttpClient {
  const library = base.protocol === 'https:' ? https : http;
  const agent = new library.Agent({ keepAlive: true, timeout: IDLE_MS });
  const prefix = base.pathname.replace(/\/+$/, '');
  const fixed: Record<string, string> =
    token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };

  const open: HttpClient['open'] = ({ method, path, headers, signal }) => {
    // one signal ends all requests under way, however many those are
    if (signal !== undefined) setMaxListeners(0, signal);
    return library.request({
      protocol: base.protocol,
      hostname: base.hostname.replace(/^\[|\]$/g, ''),
      port: base.port,
      method,
      path: prefix + path,
      agent,
      headers: { ...fixed, ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
  };

  const request: HttpClient['request'] = (asked) =>
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

  return { request, open, close: () => agent.destroy() };
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
