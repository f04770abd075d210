export type { ChangeListener, ConfigurationChange, TenantChange } from './broadcasts.js';
export { createMessaging, type Messaging, type MessagingDeps, type MessagingStatus } from './messaging.js';
export { createNoBroker, type NoBroker } from './no-broker.js';
export type { MessagingOptions } from './options.js';
export type { ServedDeps } from './served/definition.js';
export type { ServedRequests } from './served/served-requests.js';
export type { RelayMates } from './outbox-owners.js';
