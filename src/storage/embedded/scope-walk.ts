import { headOf } from '../../model/record.js';
import type { PagePlace, Scope } from '../port.js';
import type { Moment } from './fill-page.js';
import type { Lists } from './lists.js';
import type { Reading } from './reading.js';
import { ALL, isKey, listOf, tenantApplication, type List } from './tables.js';

/** A scope as it is walked: its shortest list, and what is still to be checked on each of its places. */
export interface ScopeWalk {
  list: List;
  /** how many records the list has */
  size: number;
  /** other lists that a place must be in as well */
  also: readonly List[];
  /** to be checked on the record; absent: nothing */
  rest?: Pick<Scope, 'tenant' | 'version'>;
}

/**
 * A scope that names no application, with the one that all its records are of, if that is so: then the indexes of its
 * values serve. Nearly always an installation, or a tenant of it, has one. O(log n).
 */
export function inOneApplication({ tables, view, lists }: Moment, scope: Scope): Scope {
  const { tenant } = scope;
  if (scope.application !== undefined || (tenant !== undefined && !isKey(tenant))) return scope;
  const list = tenant === undefined ? ALL : listOf.tenant(tenant);
  for (const { endpointId } of lists.newestFirst(list)) {
    const { application } = headOf(tables.records.getBinaryFast(endpointId, { transaction: view })!);
    const own =
      tenant === undefined ? listOf.application(application) : tenantApplication(tenant, application);
    return lists.count(own) === lists.count(list) ? { ...scope, application } : scope;
  }
  return scope;
}

/** `undefined`: nothing is in the scope. O(1). */
export function walkOf(lists: Lists, scope: Scope): ScopeWalk | undefined {
  const { tenant, application, version } = scope;
  for (const part of [tenant, application, version]) if (part !== undefined && !isKey(part)) return undefined;
  const narrowing = listsOf(scope).map((list) => ({ list, size: lists.count(list) }));
  const { list, size } = narrowing.reduce((a, b) => (b.size < a.size ? b : a));
  if (size === 0) return undefined;
  const also = narrowing.flatMap((other) => (other.list === list ? [] : [other.list]));
  const rest: Pick<Scope, 'tenant' | 'version'> = {};
  if (tenant !== undefined && application !== undefined) {
    // Nearly always an application is of one tenant, and two counts show that without a look at its records.
    const both = lists.count(tenantApplication(tenant, application));
    if (both === 0) return undefined;
    if (both < lists.count(listOf.application(application))) rest.tenant = tenant;
  }
  if (version !== undefined && application === undefined) rest.version = version;
  return Object.keys(rest).length === 0 ? { list, size, also } : { list, size, also, rest };
}

/** Lists that a record must be in to be in the scope: all that narrow it. */
function listsOf({ tenant, application, version, filterNumber }: Scope): List[] {
  if (application === undefined) {
    if (filterNumber !== undefined) throw new Error('A filter number means nothing without its application.');
    return [tenant === undefined ? ALL : listOf.tenant(tenant)];
  }
  const lists: List[] = [];
  if (filterNumber !== undefined) lists.push(listOf.filter(application, filterNumber));
  if (version !== undefined) lists.push(listOf.version(application, version));
  return lists.length > 0 ? lists : [listOf.application(application)];
}

/** A test for places: whether they are in all of some lists. O(lists * log n), with no look at records. */
export function inLists(
  lists: Lists,
  reading: Reading,
  all: readonly List[],
): ((place: PagePlace) => boolean) | undefined {
  if (all.length === 0) return undefined;
  return (place) =>
    all.every((list) => {
      reading.entries++;
      return lists.has(list, place);
    });
}

/** Membership aside, which is not in the record. */
export function isIn(record: Uint8Array, { tenant, application, version }: Scope): boolean {
  const head = headOf(record);
  return (
    (tenant === undefined || head.tenant === tenant) &&
    (application === undefined || head.application === application) &&
    (version === undefined || head.version === version)
  );
}
