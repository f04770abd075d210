/** A saved filter, as it is stored. */
export interface SavedFilter {
  /** UUID */
  id: string;
  tenant: string;
  application: string;
  name: string;
  description: string;
  /** the query as JSON text, key order kept */
  queryText: string;
  status: 'pending' | 'active';
  /**
   * The filter-set version of the application that brought this query: unique in the application, grows, never used
   * again. A record whose `filterSet` is at least this number has been evaluated against it; memberships name it.
   * A new query gets a new number, so its memberships begin empty.
   */
  number: number;
  /** grows by one at each change of the filter; its ETag, and the revision of its events */
  revision: number;
  createdMs: number;
  updatedMs: number;
  /** numbers of former queries whose memberships are still to be dropped */
  retired: readonly number[];
  /** unregistered: kept until its events are published and its memberships dropped */
  deletedMs?: number;
  /**
   * With several replicas, the filter-set version of the application that brought this state of it, where `number` did not:
   * whoever has written with that version knows it.
   */
  version?: number;
  /** With several replicas: whoever writes tells of what flips it, though it is pending to callers still. */
  told?: true;
}

/** The filter-set version that its application has at the least. */
export function newestVersionOf({ number, version }: SavedFilter): number {
  return Math.max(number, version ?? 0);
}
