export { metadataFault } from './metadata-change.js';
export { createWorkerPool, type WorkerPool, type WorkerPoolOptions } from './pool.js';
export type {
  EvaluatedGroup,
  EvaluateGroup,
  FilterSetSource,
  FilterSetsUpdate,
  WorkerSettings,
} from './messages.js';
export { NoThreads, type ThreadKind, type ThreadsStatus } from './threads.js';
export { createVersionAnswer } from './version-answer.js';
