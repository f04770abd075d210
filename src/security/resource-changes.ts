export type ResourceChange = 'made' | 'removed';

/** Which resources were made or removed here of late, by tenant: numbered, so that what was said before can be told. */
export interface ResourceChanges {
  add(tenant: string, resource: string, change: ResourceChange): void;
  /** The number of the tenant's last change. */
  last(tenant: string): number;
  /** The number of the last change that the resource may have had; 0: none of late. */
  lastOf(tenant: string, resource: string): number;
  /** What became of resources behind this number; undefined: more than `most` were made, or it is not known any more. O(changes kept). */
  since(tenant: string, number: number, most: number): ChangedSince | undefined;
}

export interface ChangedSince {
  made: readonly string[];
  removed: readonly string[];
}

export interface ResourceChangesOptions {
  /** answers that are older count no more, so changes are not needed any longer */
  keptMs: number;
  now: () => number;
}

/** Of each tenant; each takes some 200 bytes. Of more, all that was said before counts no more. */
const MOST_KEPT = 20_000;

interface TenantChanges {
  last: number;
  /** changes up to here may be forgotten */
  forgotten: number;
  /** by resource, the last change; the oldest first */
  changes: Map<string, { number: number; changedMs: number; change: ResourceChange }>;
}

export function createResourceChanges({ keptMs, now }: ResourceChangesOptions): ResourceChanges {
  const tenants = new Map<string, TenantChanges>();

  function trim(of: TenantChanges): void {
    for (const [resource, { number, changedMs }] of of.changes) {
      const isOld = changedMs + keptMs < now();
      if (!isOld && of.changes.size <= MOST_KEPT) return;
      of.changes.delete(resource);
      of.forgotten = number;
    }
  }

  return {
    add(tenant, resource, change) {
      let of = tenants.get(tenant);
      if (of === undefined) tenants.set(tenant, (of = { last: 0, forgotten: 0, changes: new Map() }));
      // behind all others
      of.changes.delete(resource);
      of.changes.set(resource, { number: ++of.last, changedMs: now(), change });
      trim(of);
    },
    last: (tenant) => tenants.get(tenant)?.last ?? 0,
    lastOf(tenant, resource) {
      const of = tenants.get(tenant);
      return of === undefined ? 0 : (of.changes.get(resource)?.number ?? of.forgotten);
    },
    since(tenant, number, most) {
      const of = tenants.get(tenant);
      if (of === undefined) return { made: [], removed: [] };
      if (number < of.forgotten) return undefined;
      const found = { made: [] as string[], removed: [] as string[] };
      for (const [resource, { number: changedAt, change }] of of.changes)
        if (changedAt > number) found[change].push(resource);
      return found.made.length > most ? undefined : found;
    },
  };
}
