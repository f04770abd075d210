export { openEmbeddedStore, type EmbeddedOptions } from './store.js';
