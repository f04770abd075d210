import type { Static, TSchema } from '@sinclair/typebox';
import type { JsonValue } from '../model/json.js';

/** Another service that is asked over HTTP, JSON both ways. */
export interface PeerClient {
  /** Never rejects. Answers within `callMs`, retries included. */
  call<T extends TSchema>(request: PeerRequest<T>): Promise<PeerAnswer<Static<T>>>;
  status(): PeerStatus;
  /** Ends what is under way (`cancelled`) and the connections. */
  close(): Promise<void>;
}

export interface PeerRequest<T extends TSchema> {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** below the peer's URL; each segment as it is, encoded here */
  path: readonly string[];
  query?: Readonly<Record<string, string>>;
  body?: JsonValue;
  /** a form instead of a body: `application/x-www-form-urlencoded`; a name may be there many times */
  form?: readonly (readonly [name: string, value: string])[];
  /** the header's value, in the place of the client's own credentials */
  authorization?: string;
  /** in the place of the client's own */
  token?: PeerToken;
  /**
   * What a 2xx answer holds. Members that it does not name are let through: peers grow. Made once, not for each call: its
   * check is compiled when it is first used.
   */
  answer: T;
  /** reads a body before it is checked; by default it is strict JSON */
  parse?: (body: Uint8Array) => { ok: true; value: unknown } | { ok: false; fault: string };
  correlationId: string;
  /** doing it twice comes to the same, its answer included, as doing it once; by default all but POST */
  idempotent?: boolean;
  /** what a refusal says in JSON is handed over, as `refused.json` */
  wantsRefusal?: true;
  /** calls it off */
  signal?: AbortSignal;
  /** less time than the `callMs` of the client: who asks has waited already */
  callMs?: number;
}

export type PeerAnswer<T> =
  | { kind: 'ok'; status: number; value: T }
  /** The peer has decided: asking again would not help. */
  | { kind: 'refused'; status: number; message: string; json?: JsonValue }
  /** It was done, but the answer can't be understood. */
  | { kind: 'malformed'; status: number; message: string }
  | Unavailable;

/** Nobody knows the peer's decision; what was asked for may be asked again later. */
export interface Unavailable {
  kind: 'unavailable';
  cause: UnavailableCause;
  /** what was found, for logs and people */
  message: string;
  /** the peer asked for this long a pause */
  retryAfterMs?: number;
  /** false: the peer has surely not done it */
  mayBeDone: boolean;
}

export type UnavailableCause =
  /** no connection: refused, no such host, no route, no TLS, not within `connectMs` */
  | 'unreachable'
  /** no whole answer within `attemptMs` */
  | 'timeout'
  /** the connection ended before the answer */
  | 'broken'
  /** 408, 429: the peer has too much to do */
  | 'overloaded'
  /** 5xx */
  | 'server-error'
  /** it failed again and again, and is left alone for a while; or one call tries it, and this one's time went by meanwhile */
  | 'circuit-open'
  /** more calls than `maxPending` are under way here */
  | 'too-many'
  /** our own credentials could not be had */
  | 'no-token'
  /** by the caller's signal, or by `close` */
  | 'cancelled';

export interface PeerStatus {
  circuit: CircuitState;
  /** of the last attempt, when that failed */
  error?: string;
}

export type CircuitState = 'closed' | 'half-open' | 'open';

export interface PeerOptions {
  /** for messages, and for metrics unless those have another one, such as `tekton` */
  name: string;
  /** of many that are alike: one name for all of them */
  metricName?: string;
  /** http or https, without a query; a path is kept; user and password in it are sent as basic authentication */
  url: string;
  /** absent: none is sent */
  token?: PeerToken;
  /** its answers may hold secrets: nothing of them is shown in what is logged or told as its state */
  hasSecrets?: boolean;
  limits?: Partial<PeerLimits>;
}

/** Bearer tokens by which this service says who it is. */
export interface PeerToken {
  /** For each attempt. Undefined: none is sent. Rejects with an error that says why there is none. */
  get(): Promise<string | undefined>;
  /** The peer has refused it (401): the next one is another. The call is tried once more. */
  refused(token: string): void;
}

export interface PeerLimits {
  /** until a connection stands, TLS included */
  connectMs: number;
  /** one attempt, from the wait for a free connection to the last byte of the answer */
  attemptMs: number;
  /** all attempts, and the pauses between them */
  callMs: number;
  attempts: number;
  /** the pause before a retry: at random up to this, doubled each time up to the most (full jitter) */
  retryFirstMs: number;
  retryMostMs: number;
  connections: number;
  /** calls under way; more are `too-many` */
  maxPending: number;
  maxAnswerBytes: number;
  /** failed attempts in a row that open the circuit */
  failuresToOpen: number;
  /** how long it stays open at first, doubled each time up to the most; less up to a quarter */
  openFirstMs: number;
  openMostMs: number;
}

export const PEER_DEFAULTS: PeerLimits = {
  connectMs: 2_000,
  attemptMs: 5_000,
  callMs: 15_000,
  attempts: 4,
  retryFirstMs: 200,
  retryMostMs: 5_000,
  connections: 32,
  maxPending: 4096,
  maxAnswerBytes: 8 * 1024 * 1024,
  failuresToOpen: 5,
  openFirstMs: 1_000,
  openMostMs: 30_000,
};
