export { importFile, type ImportFlags } from './import-file.js';
export {
  runImport,
  type ImportOptions,
  type ImportResult,
  type ImportState,
  type ImportWatcher,
} from './run-import.js';
