export { createAtMostEvery } from './at-most-every.js';
export { createLog, type LogOptions } from './log.js';
