export { createCredentialManagement, CREDENTIAL_MANAGEMENT_LIMITS } from './credential-management.js';
export { createPeerClient, type PeerDeps } from './peer-client.js';
export { createPeerMetrics, type PeerMetrics } from './peer-metrics.js';
export type {
  PeerAnswer,
  PeerClient,
  PeerLimits,
  PeerOptions,
  PeerRequest,
  PeerStatus,
  Unavailable,
  UnavailableCause,
} from './types.js';
