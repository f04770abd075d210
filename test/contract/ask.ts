import type { HttpClient } from '../../src/cli/http.js';
import type { JsonValue } from '../../src/model/json.js';
import { CONTRACT } from './contract-model.js';
import type { Answer, Request } from './rules.js';
import type { State } from './state.js';

/** A request as it is generated; texts like `<e1>` stand for names of the run. */
export interface Wish {
  /** of the contract's table */
  route: string;
  endpointId?: string;
  key?: string;
  app?: string;
  id?: string;
  query?: Record<string, string>;
  body?: JsonValue;
  /** the body as it is sent, where it is not JSON */
  text?: string;
  mediaType?: string;
  ifMatch?: string;
  ifNoneMatch?: string;
  idempotencyKey?: string;
  /** what the form alone is refused with, whatever is stored */
  fault?: readonly [status: number, code: string];
}

/** What the service answered. */
export interface Answered {
  status: number;
  /** parsed; lines of NDJSON as a list; undefined: there was none */
  body: JsonValue | undefined;
  etag: string | undefined;
  location: string | undefined;
}

export async function ask(client: HttpClient, wish: Wish): Promise<Answered> {
  const [method = '', template = ''] = wish.route.split(' ');
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(wish[name as 'endpointId'])),
  );
  const headers: Record<string, string> = {};
  if (wish.ifMatch !== undefined) headers['if-match'] = wish.ifMatch;
  if (wish.ifNoneMatch !== undefined) headers['if-none-match'] = wish.ifNoneMatch;
  if (wish.idempotencyKey !== undefined) headers['idempotency-key'] = wish.idempotencyKey;
  const isLines = wish.mediaType === 'application/x-ndjson';
  const text =
    wish.text ??
    (wish.body === undefined
      ? undefined
      : isLines
        ? (wish.body as JsonValue[]).map((item) => `${JSON.stringify(item)}\n`).join('')
        : JSON.stringify(wish.body));
  if (text !== undefined) headers['content-type'] = wish.mediaType ?? 'application/json';
  const search = new URLSearchParams(wish.query).toString();
  const request = { method, path: `/api/v1${path}${search === '' ? '' : `?${search}`}`, headers };
  const answer = await client.request(text === undefined ? request : { ...request, body: text });
  const { location } = answer.headers;
  // a filter's tag ends with its count of members, after a point: what a change is bound to stands before it
  const etag = answer.headers.etag?.replace(/\.[^"]*"$/, '"');
  return { status: answer.status, body: parse(answer.body.toString(), isLines), etag, location };
}

function parse(text: string, isLines: boolean): JsonValue | undefined {
  if (!isLines) return text === '' ? undefined : (JSON.parse(text) as JsonValue);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => JSON.parse(line) as JsonValue);
}

/** What the contract says to a request; changes the state as it says. */
export function expectedOf(state: State, wish: Wish, answered: Answered): Answer {
  if (wish.fault !== undefined) return { status: wish.fault[0], code: wish.fault[1] };
  const { idempotencyKey } = wish;
  if (idempotencyKey !== undefined) {
    const content = JSON.stringify({ ...wish, idempotencyKey: undefined });
    const first = state.answers.get(idempotencyKey);
    if (first !== undefined) return first.content === content ? asBefore(first.answered) : REUSED;
    state.answers.set(idempotencyKey, { content, answered });
  }
  const { endpointId = '', key = '', app = '', id = '', body = null, query = {}, ...rest } = wish;
  const request: Request = { endpointId, key, app, id, body, query, made: madeBy(answered.body), ...rest };
  return CONTRACT[wish.route]!(state, request as Request<never>);
}

const REUSED: Answer = { status: 409, code: 'idempotency-key-reused' };

function asBefore({ status, body, etag }: Answered): Answer {
  const { code } = (body ?? {}) as { code?: string };
  return {
    status,
    body,
    ...(code === undefined ? {} : { code }),
    ...(etag === undefined ? {} : { etag }),
  };
}

/** How an answer is not what is expected. */
export function differenceOf(state: State, expected: Answer, answered: Answered): string | undefined {
  const { status, code, body, etag } = expected;
  const isFault = code !== undefined;
  const wantedBody = isFault ? code : body;
  const found = answered.body as { code?: string; message?: string } | undefined;
  if (status !== answered.status)
    return `status ${answered.status} (${JSON.stringify(answered.body)}); expected ${status}, ${JSON.stringify(wantedBody)}`;
  if (isFault && (found?.message ?? '') === '') return 'the fault has no message';
  if (etag === undefined && answered.etag !== undefined)
    return `an ETag, ${answered.etag}; none was expected`;
  return (
    state.made.difference(wantedBody, isFault ? found?.code : answered.body, 'body') ??
    (etag === undefined ? undefined : state.made.difference(etag, answered.etag, 'ETag'))
  );
}

interface Registered {
  endpointId: string;
  token?: string;
  endpointToken?: string;
}

/** Ids and tokens in the answer of a registration, of the complete status of a batch, and of a new filter. */
function madeBy(body: JsonValue | undefined): Request['made'] {
  const answer = (body ?? {}) as unknown as { created?: Registered[]; id?: string } & Registered;
  const registered = answer.created ?? [answer];
  return {
    ids: registered.map(({ endpointId }) => answer.id ?? endpointId),
    tokens: registered.map(({ token, endpointToken }) => token ?? endpointToken ?? ''),
  };
}
