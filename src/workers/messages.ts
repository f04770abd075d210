import type { Command } from '../model/command.js';
import type { EndpointLimits } from '../model/endpoint.js';
import type { Refusal } from '../model/errors.js';
import type { Done } from '../model/outcome.js';
import type { RecordWrite } from '../storage/port.js';
import type { FilterSets } from './application-filters.js';

/**
 * Messages to and from the worker threads. Records, commands, events go as bytes in one transferred buffer a message
 * (`batch-frames.ts` lays them out); what surrounds them is small.
 */
export type WorkerRequest = EvaluateRequest | ScreenRequest;

/** A batch of commands, grouped by endpoint, to be computed against the records as loaded. */
export interface EvaluateRequest extends WorkerSettings {
  kind: 'evaluate';
  /** the filter sets that the batch must be computed with; see {@link FilterSetsUpdate} */
  epoch: number;
  /** brings a worker to `epoch`; only given to one that said it is behind */
  update?: FilterSetsUpdate;
  /** groups, see batch-frames.ts; its buffer is transferred */
  groups: Uint8Array<ArrayBuffer>;
}

/** Records of one application, of which those are wanted that match a filter that they were not evaluated against. */
export interface ScreenRequest {
  kind: 'screen';
  epoch: number;
  update?: FilterSetsUpdate;
  application: string;
  /** see screen-records.ts; its buffer is transferred */
  records: Uint8Array<ArrayBuffer>;
}

/** What a worker needs to know of the configuration. */
export interface WorkerSettings {
  limits: EndpointLimits;
  originatorReplicaId: string;
  /** whether `metadata-updated` is published for registrations with metadata */
  metadataOnRegistration: boolean;
  /** whether events are wanted at all */
  withEvents: boolean;
}

export type WorkerResponse =
  | { kind: 'evaluated'; groups: Uint8Array<ArrayBuffer> }
  /** places of records */
  | { kind: 'screened'; places: readonly number[] }
  /** it threw: a fault of ours */
  | { kind: 'failed'; message: string; stack: string }
  /** the worker holds the filter sets as of `epoch` (-1: none), which is not the wanted one */
  | { kind: 'behind'; epoch: number };

/**
 * Memory of filter sets that a worker may not have yet. The sets are changed in place, while no batch is under way; what a
 * worker must be told is only where they are.
 */
export interface FilterSetsUpdate {
  to: number;
  images: readonly { application: string; buffer: SharedArrayBuffer }[];
}

/** One endpoint's part of a batch: what is stored, and what is wished, in order. */
export interface EvaluateGroup {
  /** absent: nothing is stored. A tombstone counts as absent, but its revision goes on. */
  record?: Uint8Array;
  commands: readonly Command[];
}

/** What a group came to: the outcome of each command, and one write for all of them, if any. */
export interface EvaluatedGroup {
  outcomes: readonly EvaluatedOutcome[];
  write?: EvaluatedWrite;
}

/** A write as the storage port takes it, but for what names and guards it. */
export type EvaluatedWrite = Omit<RecordWrite, 'endpointId' | 'expected'>;

export type EvaluatedOutcome = Done | Refusal;

/** The filter sets of this thread, and where they are for another one. */
export interface FilterSetSource extends FilterSets {
  /** grows whenever a set is made, or moves */
  readonly epoch: number;
  /** what came or moved since */
  updateSince(epoch: number): FilterSetsUpdate;
}
