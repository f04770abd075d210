import type { Refusal } from '../../model/errors.js';
import type { Retry } from '../../model/outcome.js';
import type { Exchange, Header } from '../wire/exchange.js';

/** An answer. Its body is one of: an object (written by the route's response schema), JSON as it stands, or parts of it. */
export interface Reply {
  kind: 'reply';
  status: number;
  headers?: readonly Header[];
  /** entity tag, quotes included */
  etag?: string;
  /** path under the base, made absolute */
  location?: string;
  value?: unknown;
  /** JSON as it stands */
  json?: string | Uint8Array;
  /** JSON in parts, sent as fast as the client reads */
  parts?: Iterator<Uint8Array>;
  /** false: some of it is to be tried again, so it is not kept under an idempotency key */
  isFinal?: boolean;
}

/** The handler answers by itself, now or part by part. */
export interface Takeover {
  kind: 'takeover';
  begin(exchange: Exchange): void;
}

export type Result = Reply | Takeover | Refusal | Retry;

/** Of an answer with a secret in it: no cache on the way keeps it (RFC 9111, 5.2.2.5). */
export const NOT_STORED: readonly Header[] = [['Cache-Control', 'no-store']];

export function reply(status: number, value?: unknown): Reply {
  return { kind: 'reply', status, value };
}

/** JSON that needs no serializer. */
export function replyJson(json: string | Uint8Array, etag?: string): Reply {
  return etag === undefined
    ? { kind: 'reply', status: 200, json }
    : { kind: 'reply', status: 200, json, etag };
}
