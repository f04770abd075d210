import type { SavedFilter } from '../model/filter.js';
import type { OutboxEntry } from './port.js';

/**
 * What several processes on one storage need to know of each other. Ages are by the clock of the storage, so that those
 * of the processes may differ as they like. Everything rejects with `StorageUnavailable` as the store does.
 */
export interface Replication {
  /**
   * Makes the row of a process, unless there is one under its id that is not the one of `replaces` (a session): then
   * answers that one, and nothing happened.
   */
  join(
    replica: ReplicaState,
    replaces?: string,
  ): Promise<{ kind: 'joined' } | { kind: 'taken'; by: ReplicaRow }>;
  /**
   * Says that a process is alive, and what it knows. False: its row is gone, or belongs to another session. What the store
   * is given to commit from then on is refused where it arrives `validMs` after the last renewal, by the clock of the
   * storage: updates of records, as a conflict; not new records, nor on servers that can not compare with their clock.
   */
  renew(replica: ReplicaState): Promise<boolean>;
  /** Takes the row of a session away; none: nothing happens. */
  leave(replica: Pick<ReplicaState, 'id' | 'session'>): Promise<void>;
  /** All rows; each at least as old as it says. */
  replicas(): Promise<ReplicaRow[]>;

  /**
   * Gives a lease to a session, if nobody has it, or this one does, or one that is dead. Answers whether it has it then. A
   * lease is held until it is released; who is dead is for the caller to say, when he is asked.
   */
  takeLease(name: string, session: string, isDead: (session: string) => Promise<boolean>): Promise<boolean>;
  /** Nothing happens when the session does not have it. */
  releaseLease(name: string, session: string): Promise<void>;

  /** How many changes of saved filters there were, of all applications. One small read. */
  filterChanges(): Promise<number>;
  /**
   * The filters that were changed after the first `since` changes, as they stand now, deleted ones included; of one moment.
   * `whole`: it is all filters, as what went since is not remembered (or nothing is known, without `since`).
   * Cost: O(filters that changed).
   */
  readFilterChanges(since?: number): Promise<FilterNews>;

  /** Entries of these sources that were committed and not cleared, each source's in its order. One read for all. */
  readOutboxOf(sources: readonly string[]): Promise<OutboxEntry[]>;

  /** Ids of live records of an application whose filter-set version is below one; some of them. O(limit + log n). */
  findOutdated(application: string, filterSet: number, limit: number): Promise<string[]>;
}

export interface ReplicaState {
  id: string;
  /** random, of one life of a process */
  session: string;
  /** it goes by so many changes of filters */
  known: number;
  /** how long after a renewal it writes, at most; all others wait longer */
  validMs: number;
}

export interface ReplicaRow extends ReplicaState {
  /** since it was renewed last */
  ageMs: number;
}

export interface FilterNews {
  /** how many changes this is the state after */
  changes: number;
  /** the newest filter-set version of each application */
  versions: Map<string, number>;
  filters: SavedFilter[];
  whole: boolean;
}
