export { createWorkerPool, type WorkerPool } from './pool.js';
export { queryWeightOf } from './query-weight.js';
export type {
  EvaluatedGroup,
  EvaluateGroup,
  FilterSetChange,
  FilterSetSource,
  FilterSetsUpdate,
  WorkerSettings,
} from './messages.js';
