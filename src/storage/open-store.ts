import type { Store } from './port.js';
import { folderOf, openEmbeddedStore } from './embedded/index.js';
import { openMongoStore } from './mongodb/index.js';

export interface StoreOptions {
  /** `file:<folder>`, `mongodb://...` or `mongodb+srv://...` */
  url: string;
  /** `sync`: an answer means on disk (embedded: fsync; MongoDB: majority and journal); `async`: it may be lost with the power */
  durability: 'sync' | 'async';
  username?: string;
  password?: string;
}

/** Opens the keeper that the URL names, and makes its indexes. Rejects with a message that says the remedy. */
export function openStore(options: StoreOptions): Promise<Store> {
  return options.url.startsWith('file:') ? openEmbeddedStore(options) : openMongoStore(options);
}

/** The folder of the keeper that the URL names, where others may keep what belongs to its data. Absent: it has none. */
export function dataFolder(url: string): string | undefined {
  return url.startsWith('file:') ? folderOf(url) : undefined;
}
