import type { Refusal } from './errors.js';

/** What a command came to, when it was carried out: the endpoint as it stands right after it. */
export interface Done {
  kind: 'applied' | 'unchanged';
  revision: number;
  /** with `createdMs` the ETag, see `etagOf` */
  metadataRevision: number;
  createdMs: number;
  versionSinceMs: number;
  /** the metadata after the command, JSON text in UTF-8; only for commands that answer with it */
  metadata?: Uint8Array;
}

/**
 * Nothing is known to have been done, for a cause on our side: storage or a peer away, queue full, stopping. The same may be
 * asked again.
 */
export interface Retry {
  kind: 'retry';
  code:
    | 'overloaded'
    | 'storage-unavailable'
    | 'credentials-unavailable'
    | 'auth-server-unavailable'
    | 'tenants-unavailable'
    | 'applications-unavailable'
    | 'stopping'
    | 'internal';
  message: string;
  /** the computing of it failed, or killed who did it, with nothing else at hand: it may never work */
  failsAlone?: true;
}

export function retry(code: Retry['code'], message: string): Retry {
  return { kind: 'retry', code, message };
}

/** What a command came to. */
export type Outcome = Done | Refusal | Retry;

/** What an operation other than a command came to. */
export type Answer<T> = { kind: 'ok'; value: T } | Refusal | Retry;

export function ok<T>(value: T): { kind: 'ok'; value: T } {
  return { kind: 'ok', value };
}
