export { openMongoStore } from './store.js';
export type { MongoStoreOptions } from './connect.js';
