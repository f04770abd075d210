import type { Command } from '../model/command.js';
import type { EndpointLimits } from '../model/endpoint.js';
import type { ErrorCode, FaultDetail } from '../model/errors.js';

/**
 * Messages to and from the worker threads. Records, commands, events go as bytes in one transferred buffer a message
 * (`batch-frames.ts` lays them out); what surrounds them is small.
 */
export type WorkerRequest = EvaluateRequest;

/** A batch of commands, grouped by endpoint, to be computed against the records as loaded. */
export interface EvaluateRequest {
  kind: 'evaluate';
  /** the state of the filter sets that the batch must be computed with; see {@link FilterSetsUpdate} */
  epoch: number;
  /** brings a worker to `epoch`; only given to one that said it is behind */
  update?: FilterSetsUpdate;
  limits: EndpointLimits;
  originatorReplicaId: string;
  /** whether `metadata-updated` is published for registrations with metadata */
  metadataOnRegistration: boolean;
  /** whether events are wanted at all */
  withEvents: boolean;
  /** groups, see batch-frames.ts */
  groups: Uint8Array<ArrayBuffer>;
}

export type WorkerResponse =
  | { kind: 'evaluated'; groups: Uint8Array<ArrayBuffer> }
  /** the worker holds the filter sets as of `epoch` (-1: none), which is not the wanted one */
  | { kind: 'behind'; epoch: number };

/** What changed in the filter sets from one epoch to another; `from` -1: everything. Applied in order. */
export interface FilterSetsUpdate {
  from: number;
  to: number;
  changes: readonly FilterSetChange[];
}

export type FilterSetChange =
  /** a filter (new, changed or activated) as it now stands; `version` is the application's filter-set version */
  | { kind: 'put'; application: string; version: number; number: number; filterId: string; filterName: string; active: boolean; queryText: string }
  | { kind: 'remove'; application: string; version: number; number: number };

/** One endpoint's part of a batch: what is stored, and what is wished, in order. */
export interface EvaluateGroup {
  /** absent: nothing is stored. A tombstone counts as absent, but its revision goes on. */
  record?: Uint8Array;
  commands: readonly Command[];
}

/** What a group came to: the outcome of each command, and one write for all of them, if any. */
export interface EvaluatedGroup {
  outcomes: readonly EvaluatedOutcome[];
  write?: {
    record: Uint8Array;
    moved: boolean;
    matched: readonly number[];
    unmatched: readonly number[];
    events?: Uint8Array;
  };
}

export type EvaluatedOutcome =
  | { kind: 'applied' | 'unchanged'; revision: number; metadataRevision: number; createdMs: number; versionSinceMs: number; metadata?: Uint8Array }
  | { kind: 'refused'; code: ErrorCode; message: string; details?: readonly FaultDetail[] };
