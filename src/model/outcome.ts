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
 * What a command came to. `retry`: nothing is known to have been done, for a cause on our side (storage away, queue
 * full, stopping); the same command may be given again.
 */
export type Outcome = Done | Refusal | { kind: 'retry'; code: 'overloaded' | 'storage-unavailable' | 'stopping' | 'internal'; message: string };
