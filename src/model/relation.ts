/**
 * One end of a relation: one registration of an endpoint. An endpoint that is unregistered and registered again is
 * another one, so that what was linked to the former is not linked to it.
 */
export interface RelationEnd {
  endpointId: string;
  /** when it was registered, Unix ms */
  createdMs: number;
}

/** `from` contains `to`. */
export interface Relation {
  from: RelationEnd;
  to: RelationEnd;
}

/** From an endpoint to what it contains; and to what contains it. */
export type RelationDirection = 'contains' | '!contains';

/** Neither ids nor numbers hold a `/` or a `>`. */
export function endKeyOf({ endpointId, createdMs }: RelationEnd): string {
  return `${createdMs}/${endpointId}`;
}

export function relationKeyOf({ from, to }: Relation): string {
  return `${endKeyOf(from)}>${endKeyOf(to)}`;
}

/** The end at which a direction begins, and the one to which it leads. */
export function endsOf(
  { from, to }: Relation,
  direction: RelationDirection,
): { own: RelationEnd; other: RelationEnd } {
  return direction === 'contains' ? { own: from, other: to } : { own: to, other: from };
}

/** The source of a tenant's relation events; no endpoint and no filter has such an id. */
export function relationSourceOf(tenant: string): string {
  return `relations:${tenant}`;
}

/** So many events may come with one change of a tenant's relations. */
export const MAX_RELATION_EVENTS = 2 ** 14;

/** The revision of one event of a change: each has its own, for it is what tells events of one source apart. */
export function relationEventRevision(tenantRevision: number, place: number): number {
  return tenantRevision * MAX_RELATION_EVENTS + place;
}
