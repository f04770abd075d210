export {
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
export {
  createConfiguredTenants,
  type ConfiguredTenants,
  type ConfiguredTenantTable,
  type Tenant,
  type Tenants,
} from './tenants.js';
export type { TokenPermission, VerifiedToken } from './verified-token.js';
