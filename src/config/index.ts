/**
 * Configuration: one table of settings, read from flags, environment and one YAML file over defaults that run by
 * themselves. Everything that is wrong is said at once, with its place and what is allowed.
 */
export { describeChanges } from './changes.js';
export { settingsMarkdown, settingsTable, type SettingDescription } from './docs.js';
export { formatConfig } from './format.js';
export { loadConfig, type LoadedConfig } from './load.js';
export {
  type ApplicationProblem,
  readApplications,
  type ReadApplications,
  type TextFlaw,
} from './read-applications.js';
export type { LoadInput } from './sources.js';
export type {
  ApplicationConfig,
  Config,
  ConfigEntry,
  ConfigProblem,
  ConfigSource,
  LimitsConfig,
  LogFormat,
  LogLevel,
  NatsTlsConfig,
  StorageDurability,
  TenantConfig,
} from './types.js';
