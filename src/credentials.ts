import type { Logger } from 'pino';
import type { Config } from './config/index.js';
import type { HealthReport } from './gateway/index.js';
import {
  createCredentialManagement,
  createPeerClient,
  CREDENTIAL_MANAGEMENT_LIMITS,
  type PeerMetrics,
  type PeerToken,
} from './peers/index.js';
import type { TokenIssuer } from './register/index.js';

/** Who issues endpoint tokens, where that is another service. */
export interface Credentials {
  /** absent: this service itself */
  issuer?: TokenIssuer;
  /** Without it endpoints can't be registered, and all else can be done: it takes no replica out of service. */
  health(): HealthReport['components'];
  close(): Promise<void>;
}

export function createCredentials(deps: {
  config: Config;
  log: Logger;
  peerMetrics: PeerMetrics;
  /** absent: nobody is told who asks */
  tokenOf: ((tenant: string) => PeerToken) | undefined;
}): Credentials {
  const { config, log, peerMetrics: metrics, tokenOf } = deps;
  const url = config.kaa.epr.credentialManagementUrl;
  if (url === undefined) return { health: () => ({}), close: async () => undefined };
  const client = createPeerClient(
    { name: 'credential-management', url, hasSecrets: true, limits: CREDENTIAL_MANAGEMENT_LIMITS },
    { log, metrics },
  );
  return {
    issuer: createCredentialManagement({ client, log, ...(tokenOf === undefined ? {} : { tokenOf }) }),
    health: () => ({ credentialManagement: { status: 'UP', details: { ...client.status() } } }),
    close: () => client.close(),
  };
}
