import { refuse, type Refusal } from './errors.js';
import type { Retry } from './outcome.js';

/** Sends events to the broker again that it has lost, those of all replicas. Kept events only; one sending at a time. */
export interface Republishing {
  /** Begins, and answers at once. `sinceMs`: of changes that were committed then or later, Unix ms. */
  begin(sinceMs: number): Promise<RepublishStatus | Refusal | Retry>;
  /** Of the one that is under way, or the last one. Undefined: there was none. */
  status(): Promise<RepublishStatus | Retry | undefined>;
  /** Ends the one that is under way. Resolves when nothing more is sent, or when some replica has not said so for 15 s. */
  cancel(): Promise<Retry | undefined | void>;
}

/** The same of this process alone. */
export interface OwnRepublishing {
  start(sinceMs: number): RepublishStatus | Refusal;
  /** Of the one that is under way, or the last one of this process. Undefined: there was none. */
  status(): RepublishStatus | undefined;
  /** Ends the one that is under way. Resolves when nothing more is sent. */
  cancel(): Promise<void>;
}

/** Why events may be missing among those that are sent again. */
export type MissingReason =
  /** they are older than what is kept */
  | 'not-kept'
  /** the log of recent events has a hole: the power failed, files are gone, or the result of a write is not known */
  | 'gap'
  /** the oldest were dropped from the log before it was their turn */
  | 'too-slow'
  /** a stream dropped them as repeats, though it has lost them: it knows their ids for a while longer */
  | 'dropped'
  /** replicas that are no more kept theirs */
  | 'other-processes'
  /** a replica ended before its part was done */
  | 'replica-ended';

export interface Missing {
  reason: MissingReason;
  message: string;
}

export interface RepublishStatus {
  id: string;
  state: 'running' | 'done' | 'cancelled' | 'failed';
  sinceMs: number;
  startedMs: number;
  /** while it is not running any more */
  endedMs?: number;
  /** from when on all events are kept; absent: from the first one on */
  keptSinceMs?: number;
  /** changes with events, of which each is one or several events */
  changes: { total: number; done: number };
  events: {
    /** acknowledged, repeats included */
    sent: number;
    /** those of them that the stream had, and dropped */
    repeated: number;
    /** given up: no server takes them, or they were refused again and again */
    failed: number;
  };
  /** empty: all events since the wished time are sent again, or will be */
  missing: readonly Missing[];
  /** why nothing moves */
  waiting?: string;
}

/** Of one of which nothing has been sent yet. */
export function begunStatus({
  id,
  sinceMs,
  startedMs,
}: Pick<RepublishStatus, 'id' | 'sinceMs' | 'startedMs'>): RepublishStatus {
  return {
    id,
    state: 'running',
    sinceMs,
    startedMs,
    changes: { total: 0, done: 0 },
    events: { sent: 0, repeated: 0, failed: 0 },
    missing: [],
  };
}

/** What begins another one while one is under way is answered. */
export function alreadyUnderWay({ sinceMs }: Pick<RepublishStatus, 'sinceMs'>): Refusal {
  const since = new Date(sinceMs).toISOString();
  return refuse(
    'republishing-already',
    `Events since ${since} are being sent again. Wait until that is done, or cancel it.`,
  );
}
