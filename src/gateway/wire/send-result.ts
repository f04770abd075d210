import { ERRORS, type Refusal, refuse, statusOf } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import type { Unauthenticated } from '../../security/index.js';
import type { Reply } from '../table/reply.js';
import type { Exchange, Header } from './exchange.js';

const JSON_TYPE: Header = ['Content-Type', 'application/json'];
/** What a client is asked to wait; queues drain and a storage fails over in about this. */
const RETRY_AFTER: Header = ['Retry-After', '1'];

/** Answers what was not done. `close`: the rest of the request is not worth reading. */
export function sendFault(
  exchange: Exchange,
  fault: Refusal | Retry | Unauthenticated,
  extra: readonly Header[] = [],
  close = false,
): void {
  const status = statusOf(fault.code);
  const headers: Header[] = [JSON_TYPE, ...extra];
  if (status === 429 || status === 503) headers.push(RETRY_AFTER);
  if (status === 401) headers.push(['WWW-Authenticate', challengeIn(fault)]);
  const body: Record<string, unknown> = { message: fault.message, code: fault.code };
  if (fault.kind === 'refused' && fault.details !== undefined) body['details'] = fault.details;
  exchange.send(status, headers, JSON.stringify(body), close);
}

function challengeIn(fault: Refusal | Retry | Unauthenticated): string {
  return 'challenge' in fault ? fault.challenge : 'Bearer realm="epr"';
}

export function internalFault(): Refusal {
  return refuse('internal', ERRORS.internal[1]);
}

export function sendReply(
  exchange: Exchange,
  reply: Reply,
  serialize: (status: number, value: unknown) => string,
  base: () => string,
): void {
  const headers: Header[] = [];
  const hasBody = reply.json !== undefined || reply.parts !== undefined || reply.value !== undefined;
  if (hasBody) headers.push(JSON_TYPE);
  if (reply.etag !== undefined) headers.push(['ETag', reply.etag]);
  if (reply.location !== undefined) headers.push(['Location', base() + reply.location]);
  if (reply.headers !== undefined) headers.push(...reply.headers);
  if (reply.parts !== undefined) sendParts(exchange, reply.status, headers, reply.parts);
  else if (reply.json !== undefined) exchange.send(reply.status, headers, reply.json);
  else if (reply.value !== undefined)
    exchange.send(reply.status, headers, serialize(reply.status, reply.value));
  else exchange.send(reply.status, headers);
}

/** One part is sent whole, with its length; more are sent as fast as the client takes them. */
function sendParts(
  exchange: Exchange,
  status: number,
  headers: readonly Header[],
  parts: Iterator<Uint8Array>,
): void {
  const first = nextPart(parts);
  let part = nextPart(parts);
  if (first === undefined || part === undefined) return exchange.send(status, headers, first ?? '');
  // the length of a HEAD's answer is left out: it would cost what a GET costs
  if (exchange.head.method === 'HEAD') return exchange.send(status, headers);
  exchange.start(status, headers);
  const pump = (): void => {
    while (exchange.open && part !== undefined) {
      const taken = exchange.write(part);
      part = nextPart(parts);
      if (!taken) return exchange.whenWritable(pump);
    }
    exchange.finish();
  };
  if (exchange.write(first)) pump();
  else exchange.whenWritable(pump);
}

function nextPart(parts: Iterator<Uint8Array>): Uint8Array | undefined {
  const next = parts.next();
  return next.done === true ? undefined : next.value;
}
