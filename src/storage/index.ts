export * from './port.js';
export { dataFolder, openStore, type StoreOptions } from './open-store.js';
