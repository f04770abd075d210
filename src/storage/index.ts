export * from './port.js';
export type * from './replication.js';
export { dataFolder, openStore, type StoreOptions } from './open-store.js';
