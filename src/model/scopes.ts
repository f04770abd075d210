/** Scopes that this service enforces: what may be done with a resource of the type before the first colon. */
export const SCOPES = [
  'endpoint:read',
  'endpoint:update',
  'endpoint:delete',
  'application:read',
  'application:endpoint:create',
  'application:endpoints-metadata-keys:read',
  'application:endpoint-filter:read',
  'application:endpoint-filter:create',
  'application:endpoint-filter:update',
  'application:endpoint-filter:delete',
  'application:events:republish',
  'kaa:tenant:read',
] as const;

export type Scope = (typeof SCOPES)[number];
