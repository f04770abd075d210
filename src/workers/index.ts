export { metadataFault } from './metadata-change.js';
export { createWorkerPool, type WorkerPool } from './pool.js';
export type {
  EvaluatedGroup,
  EvaluateGroup,
  FilterSetSource,
  FilterSetsUpdate,
  WorkerSettings,
} from './messages.js';
