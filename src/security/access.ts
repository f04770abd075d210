import type { Refusal } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { Scope } from '../model/scopes.js';
import { SYSTEM_TENANT } from '../model/system-tenant.js';
import type { Authenticated, Authenticator } from './authenticator.js';
import { challengeOf, type Unauthenticated } from './challenge.js';
import type { Decisions } from './decisions.js';
import type { Tenants } from './tenants.js';
import { TOKEN_FAULTS } from './token-claims.js';
import type { VerifiedToken } from './verified-token.js';

/** Who asks. */
export interface Caller {
  /** only this tenant's data exists for the caller; absent: every tenant's (authentication is off) */
  tenant?: string;
  /** what says so; absent: authentication is off */
  token?: VerifiedToken;
}

/** The one decision point: who asks, and what they may do. */
export interface Access {
  /** whether callers are asked who they are; off is said loudly at start and by /health */
  readonly authenticates: boolean;
  /** Who a request is from, by its `Authorization` header; at once where the token is known. Never rejects. */
  authenticate(authorization: string | undefined): Authenticated | Promise<Authenticated>;
  /**
   * For each resource (`endpoint-<id>`, `application-<name>`), whether the caller has the scope on it; at once where it is
   * known. Never rejects.
   */
  decide(caller: Caller, scope: Scope, resources: readonly string[]): Decided | Promise<Decided>;
  /** For lists: the names of all resources on which the caller has the scope, or `all`. Never rejects. */
  granted(caller: Caller, scope: Scope): Granted | Promise<Granted>;
  /** Whether a caller is still what it was: for what lasts longer than a request, such as a live stream. */
  counts(caller: Caller): boolean;
  /** Told when tenants are not what they were, so that {@link counts} may be another one. */
  onTenantChange(listener: () => void): void;
}

/** In the order of the resources. A refusal or a retry: it can't be known. */
export type Decided = boolean[] | Refusal | Retry;
export type Granted = 'all' | ReadonlySet<string> | Refusal | Retry;

export function isDecided(decided: Decided): decided is boolean[] {
  return Array.isArray(decided);
}

/** Access while authentication is off: everybody may do everything, and an `Authorization` header is ignored. */
export function openAccess(): Access {
  return {
    authenticates: false,
    authenticate: async () => ({}),
    decide: (_caller, _scope, resources) => resources.map(() => true),
    granted: () => 'all',
    counts: () => true,
    onTenantChange: () => undefined,
  };
}

/** What lets callers of the system tenant read the data of others. */
const SEES_TENANTS: Scope = 'kaa:tenant:read';

/** While authorization is off: who has a token may do everything in the tenant of its issuer. */
const WHOLE_TENANT: Pick<Decisions, 'decide' | 'granted'> = {
  decide: (_caller, scope, resources) => resources.map(() => scope !== SEES_TENANTS),
  granted: () => 'all',
};

/** Access while authentication is on. With `decisions`, of authorization, what is not granted is denied. */
export function authenticatedAccess(
  authenticator: Authenticator,
  tenants: Pick<Tenants, 'byName' | 'onChange'>,
  decisions = WHOLE_TENANT,
): Access {
  const callers = watchCallers(tenants);
  return {
    ...callers,
    authenticates: true,
    authenticate: (authorization) => authenticator.authenticate(authorization),
    decide(caller, scope, resources) {
      const fault = unlessCounts(caller, callers);
      if (fault !== undefined) return fault;
      // who rules over the realm of another tenant could grant it there
      if (scope === SEES_TENANTS && caller.tenant !== SYSTEM_TENANT) return resources.map(() => false);
      return decisions.decide(caller, scope, resources);
    },
    granted: (caller, scope) => unlessCounts(caller, callers) ?? decisions.granted(caller, scope),
  };
}

/** A long request may outlive its token, or its tenant. */
function watchCallers(
  tenants: Pick<Tenants, 'byName' | 'onChange'>,
): Pick<Access, 'counts' | 'onTenantChange'> {
  return {
    counts({ token }) {
      if (token === undefined || token.expiresMs <= Date.now()) return false;
      const { name, issuer } = token.tenant;
      return tenants.byName(name)?.issuer === issuer;
    },
    onTenantChange: (listener) => tenants.onChange(listener),
  };
}

function unlessCounts(caller: Caller, callers: Pick<Access, 'counts'>): Unauthenticated | undefined {
  if (callers.counts(caller)) return undefined;
  const { token } = caller;
  if (token === undefined) return challengeOf(undefined);
  const hasExpired = token.expiresMs <= Date.now();
  return challengeOf(token.tenant.name, TOKEN_FAULTS[hasExpired ? 'expired' : 'issuer']);
}
