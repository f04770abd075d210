export {
  authenticatedAccess,
  isDecided,
  openAccess,
  type Access,
  type Caller,
  type Decided,
  type Granted,
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
export {
  createManagedTenants,
  type ManagedTenants,
  type ManagedTenantsTimes,
  type TenantAnnouncement,
} from './managed-tenants.js';
export { createSecurityMetrics, type SecurityMetrics } from './security-metrics.js';
export {
  createConfiguredTenants,
  type ConfiguredTenants,
  type ConfiguredTenantTable,
  type FoundTenant,
  type Tenant,
  type Tenants,
  tenantsOf,
} from './tenants.js';
export { createSignIn, type SignIn, type SignInOptions, type SignInTenant } from './sign-in.js';
export { createTokenVerifier, type TokenVerifier } from './token-verifier.js';
export type { TokenPermission, VerifiedToken } from './verified-token.js';
export { createDecisionMetrics, type DecisionMetrics } from './decision-metrics.js';
export { createDecisions, type Decisions } from './decisions.js';
export { createClientCheck } from './client-check.js';
export { createServiceTokens, type ServiceTokens } from './service-tokens.js';
export type { RoleGrants } from './token-rights.js';
export { createUma, type Uma } from './uma.js';
export { createEndpointResources } from './endpoint-resources.js';
