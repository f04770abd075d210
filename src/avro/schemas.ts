import type { EventKind } from '../model/event.js';
import type { RecordSchema } from './codec.js';
import { epmmp, efmp, eprmp } from './request-schemas.js';
import { type Field, HEAD, record, RELATIONS, TEXT_OR_NULL, texts, TIMEOUT } from './schema-parts.js';

const FILTER_HEAD: readonly Field[] = [
  { name: 'timestamp', type: 'long' },
  TIMEOUT,
  ...texts('correlationId', 'originatorReplicaId', 'filterId', 'applicationName'),
];

const LIFECYCLE = 'org.kaaproject.ipc.event.gen.v1.endpoint.lifecycle';
const METADATA = 'org.kaaproject.ipc.event.gen.v1.endpoint.metadata';
const FILTER = 'org.kaaproject.ipc.event.gen.v1.endpoint.filter';
const CONFIGURATION = 'org.kaaproject.scmp.event.gen.v1.service.configuration';
const TENANT = 'org.kaaproject.ipc.event.gen.v1.tenant.lifecycle';
const CONNECTIVITY = 'org.kaaproject.ipc.event.gen.v1.endpoint.connectivity';

const KEY_UPDATED: RecordSchema = {
  type: 'record',
  name: 'MetadataKeyUpdatedDto',
  namespace: METADATA,
  fields: [
    { name: 'newValue', type: TEXT_OR_NULL },
    { name: 'oldValue', type: TEXT_OR_NULL },
  ],
};

/** Every record of the contract that is spoken so far: published events by their kind, what is consumed, and served requests. */
export const schemas = {
  events: {
    registered: record(LIFECYCLE, 'RegisteredEvent', [
      ...HEAD,
      ...texts('appVersionName', 'endpointId', 'originatorReplicaId'),
    ]),
    'appversion-updated': record(LIFECYCLE, 'AppVersionUpdatedEvent', [
      ...HEAD,
      ...texts('appVersionName', 'previousAppVersionName', 'endpointId', 'originatorReplicaId'),
    ]),
    unregistered: record(LIFECYCLE, 'UnregisteredEvent', [
      ...HEAD,
      ...texts('appVersionName', 'endpointId', 'originatorReplicaId'),
    ]),
    'metadata-updated': record(METADATA, 'MetadataUpdatedEvent', [
      ...HEAD,
      ...texts('appVersionName', 'endpointId'),
      { name: 'removed', type: { type: 'map', values: TEXT_OR_NULL } },
      { name: 'added', type: { type: 'map', values: TEXT_OR_NULL } },
      { name: 'updated', type: { type: 'map', values: KEY_UPDATED } },
      ...texts('originatorReplicaId'),
    ]),
    'relations-updated': record(RELATIONS, 'EndpointRelationsUpdated', [
      ...HEAD,
      { name: 'endpointIds', type: { type: 'array', items: 'string' }, default: [] },
    ]),
    'filter-activated': record(FILTER, 'EndpointFilterActivatedEvent', [...FILTER_HEAD, filterName()]),
    'filter-pending': record(FILTER, 'EndpointFilterPendingEvent', [...FILTER_HEAD, filterName()]),
    'filter-deleted': record(FILTER, 'EndpointFilterDeletedEvent', [...FILTER_HEAD, filterName()]),
    'ep-matched': record(FILTER, 'EndpointMatchedFilterEvent', membershipFields()),
    'ep-unmatched': record(FILTER, 'EndpointUnmatchedFilterEvent', membershipFields()),
  } satisfies Record<EventKind, RecordSchema>,
  consumed: {
    connected: record(CONNECTIVITY, 'ConnectedEvent', connectivityFields()),
    disconnected: record(CONNECTIVITY, 'DisconnectedEvent', connectivityFields()),
    'configuration-broadcast': record(CONFIGURATION, 'BroadcastConfigurationUpdateEvent', [
      ...texts('correlationId'),
      { name: 'timestamp', type: 'long' },
      ...texts('originatorReplicaId'),
      { name: 'tenantID', type: TEXT_OR_NULL, default: null },
      ...appNames(),
    ]),
    'configuration-specific': record(CONFIGURATION, 'ServiceSpecificConfigurationUpdateEvent', [
      ...texts('correlationId'),
      { name: 'timestamp', type: 'long' },
      ...texts('tenantID'),
      ...appNames(),
    ]),
    'tenant-updated': record(TENANT, 'UpdatedEvent', tenantFields()),
    'tenant-unregistered': record(TENANT, 'UnregisteredEvent', tenantFields()),
  },
  served: { epmmp, efmp, eprmp },
};

function membershipFields(): Field[] {
  return [...FILTER_HEAD, ...texts('appVersionName'), filterName(), ...texts('endpointId')];
}

function connectivityFields(): Field[] {
  return [
    ...HEAD,
    { name: 'endpoints', type: { type: 'map', values: 'string' } },
    ...texts('originatorReplicaId'),
  ];
}

function appNames(): Field[] {
  return [
    { name: 'appName', type: TEXT_OR_NULL, default: null },
    { name: 'appVerName', type: TEXT_OR_NULL, default: null },
  ];
}

function tenantFields(): Field[] {
  return [...HEAD, ...texts('tenantId', 'originatorReplicaId')];
}

function filterName(): Field {
  return { name: 'filterName', type: TEXT_OR_NULL };
}
