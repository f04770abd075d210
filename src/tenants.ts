import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import { SYSTEM_TENANT } from './model/system-tenant.js';
import {
  createPeerClient,
  createTenantManager,
  type PeerMetrics,
  type PeerToken,
  TENANT_MANAGER_LIMITS,
} from './peers/index.js';
import {
  createConfiguredTenants,
  createManagedTenants,
  type ServiceTokens,
  type Tenant,
  type TenantAnnouncement,
  type Tenants,
  tenantsOf,
} from './security/index.js';

/** The tenants of this installation, wherever they come from. */
export interface TenantSource {
  tenants: Tenants;
  /** Resolves when they are known, or as far as they are after some seconds. */
  start(): Promise<void>;
  /** Takes up another configuration. */
  reload(config: Config): void;
  /** present where another service announces changes (21/TLE) */
  announcements?: { changed(change: TenantAnnouncement): void; missed(): void };
  /** What is missing still; undefined: nothing. */
  awaits(): string | undefined;
  health(): HealthReport['components'];
  stop(): Promise<void>;
}

export interface TenantSourceDeps {
  config: Config;
  /** of this service's own, for who asks the tenant manager */
  tokens: Pick<ServiceTokens, 'of' | 'refused'>;
  log: Logger;
  metrics: Registry;
  peerMetrics: PeerMetrics;
}

export function createTenantSource(deps: TenantSourceDeps): TenantSource {
  return deps.config.kaa.tenantManager.enabled ? fromTenantManager(deps) : fromConfiguration(deps.config);
}

function fromConfiguration(config: Config): TenantSource {
  const tenants = createConfiguredTenants(config.kaa.tenants);
  return {
    tenants,
    start: async () => undefined,
    reload: (next) => tenants.replace(next.kaa.tenants),
    awaits: () => undefined,
    health: () => ({}),
    stop: async () => undefined,
  };
}

function fromTenantManager({ config, tokens, log, metrics, peerMetrics }: TenantSourceDeps): TenantSource {
  const { url } = config.kaa.tenantManager;
  // the check of the configuration has seen to it that there is one
  let system = systemTenantOf(config)!;
  const token: PeerToken = {
    get: () => tokens.of(system),
    refused: (refused) => tokens.refused(system, refused),
  };
  const client = createPeerClient(
    { name: 'tenant-manager', url, hasSecrets: true, token, limits: TENANT_MANAGER_LIMITS },
    { log, metrics: peerMetrics },
  );
  const followed = createManagedTenants({
    tenantManager: createTenantManager(client, { url }),
    systemTenant: system,
    log,
    metrics,
  });
  return {
    tenants: followed,
    start: () => followed.start(),
    reload(next) {
      system = systemTenantOf(next) ?? system;
      followed.setSystemTenant(system);
    },
    announcements: followed,
    awaits: () =>
      followed.status().status === 'DOWN'
        ? 'The tenant manager could not be read yet, so only the system tenant is known; it is asked again and again'
        : undefined,
    health: () => ({ tenantManager: followed.status() }),
    async stop() {
      await client.close();
      await followed.stop();
    },
  };
}

function systemTenantOf({ kaa: { tenants } }: Config): Tenant | undefined {
  return tenantsOf(tenants).find(({ name }) => name === SYSTEM_TENANT);
}
