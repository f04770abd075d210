import type { Tenant } from './tenants.js';

/** What a token's signature vouches for. */
export interface VerifiedToken {
  /** of its issuer */
  tenant: Tenant;
  /** `sub` */
  subject: string;
  /** `realm_access.roles` */
  realmRoles: ReadonlySet<string>;
  /** `authorization.permissions` of an RPT; empty where `aud` does not hold the tenant's client */
  permissions: readonly TokenPermission[];
  /** Unix ms: it counts for nothing from here on (`exp` and the leeway) */
  expiresMs: number;
  /** as it was sent */
  token: string;
}

export interface TokenPermission {
  /** `rsname` */
  resource: string;
  scopes: readonly string[];
}
