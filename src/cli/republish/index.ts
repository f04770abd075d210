export { republish, type RepublishFlags } from './republish.js';
