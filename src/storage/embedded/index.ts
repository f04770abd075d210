export { folderOf } from './open-folder.js';
export { openEmbeddedStore, type EmbeddedOptions } from './store.js';
