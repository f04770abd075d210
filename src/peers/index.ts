export { createCredentialManagement, CREDENTIAL_MANAGEMENT_LIMITS } from './credential-management.js';
export { createFollowLoop, type FollowLoop, type FollowTimes } from './follow-loop.js';
export { createPeerClient, type PeerDeps } from './peer-client.js';
export { createSlots, type Slots } from './slots.js';
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
export {
  createTenantManager,
  type ListedTenant,
  TENANT_MANAGER_LIMITS,
  type TenantList,
  type TenantManager,
} from './tenant-manager.js';
export type {
  PeerAnswer,
  PeerClient,
  PeerLimits,
  PeerOptions,
  PeerRequest,
  PeerStatus,
  PeerToken,
  Unavailable,
  UnavailableCause,
} from './types.js';
