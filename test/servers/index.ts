/**
 * Real servers for tests, two lines each:
 *
 * ```ts
 * const nats = await startNats(t, { jetstream: true });
 * if (nats === undefined) return; // not installed: the test is skipped and says how to install
 * ```
 */
export { startNats, type NatsServer, type NatsOptions } from './nats.js';
export { startChromium } from './chromium.js';
export { startMongo, type MongoServer, type MongoOptions } from './mongo.js';
export { startFastavro, type Fastavro } from './fastavro.js';
export { findSchemathesis, type Schemathesis } from './schemathesis.js';
export { startTekton, type TektonServer } from './tekton.js';
export { startTenantManager, type GivenTenant, type TenantManagerServer } from './tenant-manager.js';
export {
  startKeycloak,
  type Keycloak,
  type KeycloakRealm,
  type KeycloakUser,
  type PermissionOf,
} from './keycloak.js';
