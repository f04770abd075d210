import type { Scope } from '../model/scopes.js';
import type { VerifiedToken } from './verified-token.js';

/** What a realm role grants on every resource of a tenant: scopes by role. */
export type RoleGrants = Readonly<Record<string, readonly string[]>>;

/** Whether an RPT names the scope on the resource. */
export function createTokenReader() {
  const byToken = new WeakMap<VerifiedToken, ReadonlyMap<string, ReadonlySet<string>>>();
  return (token: VerifiedToken, resource: string, scope: Scope): boolean => {
    if (token.permissions.length === 0) return false;
    let named = byToken.get(token);
    if (named === undefined) {
      const scopes = new Map<string, Set<string>>();
      for (const permission of token.permissions) {
        const known = scopes.get(permission.resource) ?? new Set<string>();
        for (const each of permission.scopes) known.add(each);
        scopes.set(permission.resource, known);
      }
      byToken.set(token, (named = scopes));
    }
    return named.get(resource)?.has(scope) === true;
  };
}

/** Whether a role of the token grants the scope on everything. */
export function createGrantReader() {
  let source: RoleGrants | undefined;
  let rolesOf = new Map<string, Set<string>>();
  return (roleGrants: RoleGrants, token: VerifiedToken, scope: Scope): boolean => {
    if (roleGrants !== source) {
      source = roleGrants;
      rolesOf = new Map();
      for (const [role, scopes] of Object.entries(roleGrants))
        for (const each of scopes) rolesOf.set(each, (rolesOf.get(each) ?? new Set()).add(role));
    }
    const roles = rolesOf.get(scope);
    if (roles === undefined) return false;
    for (const role of roles) if (token.realmRoles.has(role)) return true;
    return false;
  };
}
