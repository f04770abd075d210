export {
  authenticatedAccess,
  isDecided,
  openAccess,
  type Access,
  type Caller,
  type Decided,
  type Granted,
  type Scope,
} from './access.js';
export {
  createAuthServers,
  type AuthServer,
  type AuthServerEndpoint,
  type AuthServerRequest,
  type AuthServers,
} from './auth-server.js';
export { createAuthenticator, type Authenticated, type Authenticator } from './authenticator.js';
export type { Unauthenticated } from './challenge.js';
export type { KeySetTimes } from './key-set.js';
export { createSecurityMetrics, type SecurityMetrics } from './security-metrics.js';
export {
  createConfiguredTenants,
  type ConfiguredTenants,
  type ConfiguredTenantTable,
  type Tenant,
  type Tenants,
} from './tenants.js';
export { createTokenVerifier, type TokenVerifier } from './token-verifier.js';
export type { TokenPermission, VerifiedToken } from './verified-token.js';
export { createDecisionMetrics, type DecisionMetrics } from './decision-metrics.js';
export { createDecisions, type Decisions } from './decisions.js';
export { createServiceTokens, type ServiceTokens } from './service-tokens.js';
export type { RoleGrants } from './token-rights.js';
export { createUma, type Uma } from './uma.js';
export { createEndpointResources } from './endpoint-resources.js';
