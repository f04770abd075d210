export { createCredentialManagement, CREDENTIAL_MANAGEMENT_LIMITS } from './credential-management.js';
export { createPeerClient, type PeerDeps } from './peer-client.js';
export { createPeerMetrics, type PeerMetrics } from './peer-metrics.js';
export {
  createTekton,
  type ConfigurationScope,
  type ReadConfiguration,
  type ServiceConfiguration,
  type Tekton,
} from './tekton.js';
export {
  createTektonApplications,
  type Reread,
  type TektonApplications,
  type TektonStatus,
  type TektonTimes,
} from './tekton-applications.js';
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
