import { headOf } from '../../model/record.js';
import type { Scope } from '../port.js';
import {
  countIn,
  isKey,
  listOf,
  narrowest,
  tenantApplication,
  type List,
  type Tables,
  type View,
} from './tables.js';

/** A scope as it is walked: one list, and what is still to be checked on each record of the list. */
export interface ScopeWalk {
  list: List;
  /** how many records the list has */
  size: number;
  /** absent: every record of the list is in the scope */
  rest?: Pick<Scope, 'tenant' | 'version'>;
}

/** `undefined`: nothing is in the scope. O(1). */
export function walkOf(tables: Tables, view: View, scope: Scope): ScopeWalk | undefined {
  const { tenant, application, version, filterNumber } = scope;
  for (const part of [tenant, application, version]) if (part !== undefined && !isKey(part)) return undefined;
  const list = narrowest(scope);
  const size = countIn(tables, list, view);
  const rest: Pick<Scope, 'tenant' | 'version'> = {};
  if (tenant !== undefined && application !== undefined) {
    // Nearly always an application is of one tenant, and two counts show that without a look at its records.
    const both = countIn(tables, tenantApplication(tenant, application), view);
    if (both === 0) return undefined;
    if (both < countIn(tables, listOf.application(application), view)) rest.tenant = tenant;
  }
  if (version !== undefined && (application === undefined || filterNumber !== undefined))
    rest.version = version;
  if (size === 0) return undefined;
  return Object.keys(rest).length === 0 ? { list, size } : { list, size, rest };
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
