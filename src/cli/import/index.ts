export { progressOf } from './progress.js';
export { importFile, type ImportFlags } from './import-file.js';
export {
  runImport,
  type ImportOptions,
  type ImportResult,
  type ImportState,
  type ImportWatcher,
} from './run-import.js';
export { LINE_LIMIT_BYTES } from './read-lines.js';
