import type { JsonObject } from '../model/json.js';
import type { Answer } from '../model/outcome.js';
import type { RelationDirection } from '../model/relation.js';
import type { PagePlace } from '../storage/index.js';
import type { CallContext } from './types.js';

/** Which endpoints contain which: same tenant only, and no endpoint contains itself, directly or not. */
export interface Relations {
  /**
   * Links all or none: one bad item refuses the whole, with `details` of every bad one (pointers into the list). Items
   * are decided in order, each on what those before it make. Durable when answered.
   */
  link(context: CallContext, items: readonly RelationItem[]): Promise<Answer<RelationStatus[]>>;
  /** As {@link link}. */
  unlink(context: CallContext, items: readonly RelationItem[]): Promise<Answer<RelationStatus[]>>;
  /** What an endpoint contains, or what contains it: the newest first, ids ascending within a date. */
  list(
    context: CallContext,
    endpointId: string,
    page: {
      direction: RelationDirection;
      offset: number;
      limit: number;
      after?: PagePlace;
      /** counted and shown are only these; absent: all. O(relations of the endpoint) where given */
      among?: ReadonlySet<string>;
    },
  ): Promise<Answer<{ total: number; endpointIds: string[]; next?: PagePlace }>>;
  /**
   * What an endpoint has from its containers: for each key that it lacks, the value of the nearest container that has
   * it, of the smallest endpoint id among equally near ones. Nothing where its application does not inherit.
   *
   * @param record of the endpoint
   * @param keys only these; absent: all
   * @param readable for each id, whether the caller may see that endpoint's metadata
   */
  inherited(
    record: Uint8Array,
    wanted: {
      keys?: readonly string[];
      readable: (endpointIds: readonly string[]) => Promise<readonly boolean[]>;
    },
  ): Promise<Answer<JsonObject>>;
}

/** `from` contains `to`. */
export interface RelationItem {
  from: string;
  to: string;
}

/** Of an endpoint that is being registered: what contains it, or what it contains. */
export type RegistrationRelation = { from: string; to?: never } | { to: string; from?: never };

export type RelationStatus = 'linked' | 'already-linked' | 'unlinked' | 'not-linked';
