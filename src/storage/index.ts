export * from './port.js';
export { openStore, type StoreOptions } from './open-store.js';
