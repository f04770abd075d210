export type { Credentials, Granted } from './credentials.js';
export { createHandover } from './handover.js';
export { knownAddress } from './known-address.js';
export { takeArrival } from './places.js';
export { createProvider } from './provider.js';
export { createSession, type Session, type SessionState } from './session.js';
export type { Person, SignInFault, SignInOffer, SignInTenant } from './types.js';
