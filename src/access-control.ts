import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Config } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import { createPeerClient, type PeerMetrics, type PeerToken } from './peers/index.js';
import type { EndpointResources } from './register/index.js';
import {
  type Access,
  authenticatedAccess,
  type Authenticator,
  createAuthenticator,
  createAuthServers,
  createClientCheck,
  createDecisionMetrics,
  createDecisions,
  createEndpointResources,
  createSecurityMetrics,
  createServiceTokens,
  createSignIn,
  createTokenVerifier,
  createUma,
  type Decisions,
  openAccess,
  type ServiceTokens,
  type SignIn,
  type Tenants,
} from './security/index.js';
import { createTenantSource, type TenantSource } from './tenants.js';

/** Of clients that are refused, in the health. */
const MOST_SHOWN = 50;

/** Who is asked who they are, what they may do, and who this service says that it is. */
export interface AccessControl {
  access: Access;
  /** absent: nobody is asked */
  signIn?: SignIn;
  /** what endpoints have at the auth server; absent: nothing */
  resources?: EndpointResources;
  /** How peers are told who asks, in the name of a tenant; absent: they are not. */
  tokenOf?: (tenant: string) => PeerToken;
  /** Resolves when the tenants are known, or as far as they are after some seconds; key sets are read then, and nobody waits for them. */
  start(): Promise<void>;
  /** present where another service announces changes of tenants */
  announcements?: NonNullable<TenantSource['announcements']>;
  /** What is missing still; undefined: nothing. */
  awaits(): string | undefined;
  reload(config: Config): void;
  /** Tokens that are known go on while an auth server is away, so that takes no replica out of service. */
  health(): HealthReport['components'];
  close(): Promise<void>;
}

export interface AccessControlDeps {
  config: Config;
  log: Logger;
  metrics: Registry;
  peerMetrics: PeerMetrics;
}

export function createAccessControl(deps: AccessControlDeps): AccessControl {
  const { log, metrics, peerMetrics } = deps;
  let { config } = deps;
  if (!config.kaa.security.authentication.enabled)
    return {
      access: openAccess(),
      start: async () => undefined,
      awaits: () => undefined,
      reload: () => undefined,
      health: () => ({ security: { status: 'UP', details: { authentication: 'off' } } }),
      close: async () => undefined,
    };
  const authServers = createAuthServers({
    connect: (options) => createPeerClient(options, { log, metrics: peerMetrics }),
  });
  const tokens = createServiceTokens({ authServers, log });
  const source = createTenantSource({ config, tokens, log, metrics, peerMetrics });
  const { tenants, announcements } = source;
  tenants.onChange(() => {
    authServers.keepOnly(tenants.list());
    tokens.keepOnly(tenants.list());
    if (isStarted) clients.run();
  });
  let isStarted = false;
  const clients = createClientCheck({
    tenants: () => (needsOwnTokens(config) ? tenants.list() : []),
    tokens,
  });
  const securityMetrics = createSecurityMetrics(metrics);
  const { audience } = config.kaa.security;
  const verifier = createTokenVerifier({
    tenants,
    authServers,
    log,
    metrics: securityMetrics,
    ...(audience === undefined ? {} : { audience }),
  });
  const authenticator = createAuthenticator({ verifier, metrics: securityMetrics });

  function authorize(by: Authenticator): Pick<AccessControl, 'access' | 'resources'> {
    const { security } = config.kaa;
    if (!security.authorization.enabled) return { access: authenticatedAccess(by, tenants) };
    const decisions = createDecisions({
      uma: createUma({ authServers, log }),
      roleGrants: () => config.kaa.security.roleGrants,
      cacheMs: security.decisionCacheMs,
      metrics: createDecisionMetrics(metrics),
    });
    const access = authenticatedAccess(by, tenants, decisions);
    if (!security.endpointResources) return { access };
    const changed: Decisions['changed'] = (...change) => decisions.changed(...change);
    return { access, resources: createEndpointResources({ tenants, tokens, changed, log }) };
  }

  return {
    ...authorize(authenticator),
    signIn: createSignIn(
      () => tenants.list(),
      () => config.kaa.security.signIn,
    ),
    tokenOf: (tenant) => peerToken(tenant, tenants, tokens),
    ...(announcements === undefined ? {} : { announcements }),
    async start() {
      await source.start();
      void verifier.warm();
      isStarted = true;
      clients.run();
    },
    awaits: () => source.awaits(),
    reload(next) {
      config = next;
      source.reload(next);
    },
    health() {
      const authorization = config.kaa.security.authorization.enabled ? 'on' : 'off';
      const { shown: keySets, all, failing } = verifier.status();
      const rest = Object.keys(keySets).length < all ? { keySetsInAll: all, keySetsFailing: failing } : {};
      const refused = [...tokens.refusals()].slice(0, MOST_SHOWN);
      const clientsRefused =
        refused.length === 0 ? {} : { state: 'DEGRADED', clientsRefused: Object.fromEntries(refused) };
      const details = { authentication: 'on', authorization, keySets, ...rest, ...clientsRefused };
      return { security: { status: 'UP', details }, ...source.health() };
    },
    async close() {
      clients.stop();
      await source.stop();
      await authServers.close();
    },
  };
}

/** Resources are made, or peers are asked, in the name of this service. */
function needsOwnTokens({ kaa: { security, epr, tekton } }: Config): boolean {
  const makesResources = security.authorization.enabled && security.endpointResources;
  return makesResources || tekton.enabled || epr.credentialManagementUrl !== undefined;
}

/** A tenant without a secret has none: what peers then say is theirs to say. */
function peerToken(name: string, tenants: Tenants, tokens: ServiceTokens): PeerToken {
  return {
    async get() {
      const tenant = tenants.byName(name);
      return tenant?.clientSecret === undefined ? undefined : tokens.of(tenant);
    },
    refused(token) {
      const tenant = tenants.byName(name);
      if (tenant !== undefined) tokens.refused(tenant, token);
    },
  };
}
