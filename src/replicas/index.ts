export { ALONE, createReplicas, type Replicas, type RunningReplicas } from './replicas.js';
export { fenceStore } from './fence-store.js';
