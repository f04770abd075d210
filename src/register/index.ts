export { includedMetadata } from './included-metadata.js';
export * from './relation-types.js';
export type * from './endpoint-resources.js';
export * from './token-issuer.js';
export * from './types.js';
export {
  createRegister,
  type RegisterDeps,
  type RegisterSettings,
  type RunningRegister,
} from './register.js';
