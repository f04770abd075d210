import type { Refusal } from '../model/errors.js';

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
}

/** The one decision point: who asks, and what they may do. */
export interface Access {
  /** whether callers are asked who they are; off is said loudly at start and by /health */
  readonly authenticates: boolean;
  /** Who a request is from, by its `Authorization` header. */
  authenticate(authorization: string | undefined): Promise<Caller | Refusal>;
  /** For each resource (`endpoint-<id>`, `application-<name>`), whether the caller has the scope on it. */
  decide(caller: Caller, scope: Scope, resources: readonly string[]): Promise<boolean[]>;
}

/** Access while authentication is off: everybody may do everything, and an `Authorization` header is ignored. */
export function openAccess(): Access {
  return {
    authenticates: false,
    authenticate: async () => ({}),
    decide: async (_caller, _scope, resources) => resources.map(() => true),
  };
}
