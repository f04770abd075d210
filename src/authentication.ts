import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import { createPeerClient, type PeerMetrics } from './peers/index.js';
import {
  type Access,
  authenticatedAccess,
  createAuthenticator,
  createAuthServers,
  createConfiguredTenants,
  createSecurityMetrics,
  createTokenVerifier,
  openAccess,
} from './security/index.js';

/** Who is asked who they are, and how. */
export interface Authentication {
  access: Access;
  /** Reads the key sets; nobody waits for it. */
  start(): void;
  reload(config: Config): void;
  /** Tokens that are known go on while an auth server is away, so that takes no replica out of service. */
  health(): HealthReport['components'];
  close(): Promise<void>;
}

export function createAuthentication(deps: {
  config: Config;
  log: Logger;
  metrics: Registry;
  peerMetrics: PeerMetrics;
}): Authentication {
  const { config, log, metrics, peerMetrics } = deps;
  if (!config.kaa.security.authentication.enabled)
    return {
      access: openAccess(),
      start: () => undefined,
      reload: () => undefined,
      health: () => ({ security: { status: 'UP', details: { authentication: 'off' } } }),
      close: async () => undefined,
    };
  const tenants = createConfiguredTenants(config.kaa.tenants);
  const authServers = createAuthServers({
    connect: (options) => createPeerClient(options, { log, metrics: peerMetrics }),
  });
  const securityMetrics = createSecurityMetrics(metrics);
  const verifier = createTokenVerifier({ tenants, authServers, log, metrics: securityMetrics });
  return {
    access: authenticatedAccess(createAuthenticator({ verifier, metrics: securityMetrics })),
    start() {
      void verifier.warm();
    },
    reload(next) {
      tenants.replace(next.kaa.tenants);
      authServers.keepOnly(tenants.list());
    },
    health: () => ({
      security: { status: 'UP', details: { authentication: 'on', keySets: verifier.status() } },
    }),
    close: () => authServers.close(),
  };
}
