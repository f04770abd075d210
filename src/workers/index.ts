export { createWorkerPool, type FilterSetSource, type WorkerPool } from './pool.js';
export type {
  EvaluatedGroup,
  EvaluateGroup,
  FilterSetChange,
  FilterSetsUpdate,
  WorkerSettings,
} from './messages.js';
