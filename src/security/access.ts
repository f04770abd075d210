import type { Refusal } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { Authenticated, Authenticator } from './authenticator.js';
import type { VerifiedToken } from './verified-token.js';

/** Scopes that this service enforces (security.md). */
export type Scope =
  | 'endpoint:read'
  | 'endpoint:update'
  | 'endpoint:delete'
  | 'application:endpoint:create'
  | 'application:endpoint-filter:read'
  | 'application:endpoint-filter:create'
  | 'application:endpoint-filter:update'
  | 'application:endpoint-filter:delete'
  | 'application:endpoints-metadata-keys:read'
  | 'application:read'
  | 'application:events:republish';

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
  };
}

/** Access while authentication is on and authorization is off: who has a token may do everything in the tenant of its issuer. */
export function authenticatedAccess(authenticator: Authenticator): Access {
  return {
    authenticates: true,
    authenticate: (authorization) => authenticator.authenticate(authorization),
    decide: (caller, _scope, resources) => resources.map(() => counts(caller)),
    granted: (caller) => (counts(caller) ? 'all' : new Set<string>()),
  };
}

/** A long request may outlive its token. */
function counts({ token }: Caller): boolean {
  return token !== undefined && token.expiresMs > Date.now();
}
