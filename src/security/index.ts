export { openAccess, type Access, type Caller, type Scope } from './access.js';
