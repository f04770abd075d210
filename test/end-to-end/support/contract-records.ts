import avro from 'avsc';

/** The records that these tests read and write, written down from the messaging contract a second time, for another codec. */
const HEAD = [
  { name: 'correlationId', type: 'string' },
  { name: 'timestamp', type: 'long' },
  { name: 'timeout', type: 'long', default: 0 },
] as const;

const TEXT_OR_NULL = ['null', 'string'] as const;

export interface MembershipEvent {
  filterId: string;
  applicationName: string;
  appVersionName: string;
  filterName: string | null;
  endpointId: string;
}

export interface MetadataUpdatedEvent {
  endpointId: string;
  appVersionName: string;
  removed: Record<string, string | null>;
  added: Record<string, string | null>;
  updated: Record<string, { newValue: string | null; oldValue: string | null }>;
}

export interface RegisteredEvent {
  appVersionName: string;
  endpointId: string;
}

export interface AppVersionUpdatedEvent {
  appVersionName: string;
  previousAppVersionName: string;
  endpointId: string;
}

const membership = typeOf('EndpointMatchedFilterEvent', [
  { name: 'timestamp', type: 'long' },
  { name: 'timeout', type: 'long', default: 0 },
  ...texts('correlationId', 'originatorReplicaId', 'filterId', 'applicationName', 'appVersionName'),
  { name: 'filterName', type: TEXT_OR_NULL },
  ...texts('endpointId'),
]);

const metadataUpdated = typeOf('MetadataUpdatedEvent', [
  ...HEAD,
  ...texts('appVersionName', 'endpointId'),
  { name: 'removed', type: { type: 'map', values: TEXT_OR_NULL } },
  { name: 'added', type: { type: 'map', values: TEXT_OR_NULL } },
  {
    name: 'updated',
    type: {
      type: 'map',
      values: {
        type: 'record',
        name: 'MetadataKeyUpdatedDto',
        fields: [
          { name: 'newValue', type: TEXT_OR_NULL },
          { name: 'oldValue', type: TEXT_OR_NULL },
        ],
      },
    },
  },
  ...texts('originatorReplicaId'),
]);

const registered = typeOf('RegisteredEvent', [
  ...HEAD,
  ...texts('appVersionName', 'endpointId', 'originatorReplicaId'),
]);

const appVersionUpdated = typeOf('AppVersionUpdatedEvent', [
  ...HEAD,
  ...texts('appVersionName', 'previousAppVersionName', 'endpointId', 'originatorReplicaId'),
]);

const relationsUpdated = typeOf('EndpointRelationsUpdated', [
  ...HEAD,
  { name: 'endpointIds', type: { type: 'array', items: 'string' }, default: [] },
]);

const connected = typeOf('ConnectedEvent', [
  ...HEAD,
  { name: 'endpoints', type: { type: 'map', values: 'string' } },
  ...texts('originatorReplicaId'),
]);

export function readMembership(data: Uint8Array): MembershipEvent {
  return membership.fromBuffer(Buffer.from(data)) as MembershipEvent;
}

export function readMetadataUpdated(data: Uint8Array): MetadataUpdatedEvent {
  return metadataUpdated.fromBuffer(Buffer.from(data)) as MetadataUpdatedEvent;
}

export function readRegistered(data: Uint8Array): RegisteredEvent {
  return registered.fromBuffer(Buffer.from(data)) as RegisteredEvent;
}

export function readAppVersionUpdated(data: Uint8Array): AppVersionUpdatedEvent {
  return appVersionUpdated.fromBuffer(Buffer.from(data)) as AppVersionUpdatedEvent;
}

export interface RelationsUpdatedEvent {
  correlationId: string;
  timestamp: number;
  timeout: number;
  endpointIds: string[];
}

export function readRelationsUpdated(data: Uint8Array): RelationsUpdatedEvent {
  return relationsUpdated.fromBuffer(Buffer.from(data)) as RelationsUpdatedEvent;
}

export function writeConnected(endpoints: Record<string, string>, timestamp: number): Buffer {
  const event = { correlationId: 'c', timestamp, timeout: 0, endpoints, originatorReplicaId: 'kpc-1' };
  return connected.toBuffer(event);
}

function texts(...names: string[]) {
  return names.map((name) => ({ name, type: 'string' }));
}

function typeOf(name: string, fields: readonly object[]): avro.Type {
  return avro.Type.forSchema({ type: 'record', name, fields } as unknown as avro.Schema);
}
