import { createCodec } from './codec.js';
import type { MessageHead } from './schema-parts.js';
import { schemas } from './schemas.js';

/** 17/SCMP: what of the configuration was written or deleted. What is null is not narrowed by it. */
export interface ConfigurationUpdate {
  correlationId: string;
  /** Unix ms */
  timestamp: number;
  tenantID: string | null;
  appName: string | null;
  appVerName: string | null;
}

/** To all services of a tenant, or of all. */
export interface BroadcastConfigurationUpdate extends ConfigurationUpdate {
  originatorReplicaId: string;
}

/** 21/TLE: a tenant was changed, or is no more. */
export interface TenantEvent extends MessageHead {
  tenantId: string;
  originatorReplicaId: string;
}

const codecs = {
  broadcast: createCodec<BroadcastConfigurationUpdate>(schemas.consumed['configuration-broadcast']),
  specific: createCodec<ConfigurationUpdate & { tenantID: string }>(
    schemas.consumed['configuration-specific'],
  ),
  // UpdatedEvent and UnregisteredEvent have the same fields, and raw Avro carries no name
  tenant: createCodec<TenantEvent>(schemas.consumed['tenant-updated']),
};

/** A BroadcastConfigurationUpdateEvent. Throws AvroDecodeError. */
export function decodeBroadcastConfiguration(payload: Uint8Array): BroadcastConfigurationUpdate {
  return codecs.broadcast.decode(payload);
}

/** A ServiceSpecificConfigurationUpdateEvent. Throws AvroDecodeError. */
export function decodeServiceConfiguration(payload: Uint8Array): ConfigurationUpdate {
  return codecs.specific.decode(payload);
}

/** An UpdatedEvent or an UnregisteredEvent of a tenant. Throws AvroDecodeError. */
export function decodeTenantEvent(payload: Uint8Array): TenantEvent {
  return codecs.tenant.decode(payload);
}

export function encodeBroadcastConfiguration(event: BroadcastConfigurationUpdate): Uint8Array {
  return codecs.broadcast.encode(event);
}

export function encodeServiceConfiguration(event: ConfigurationUpdate & { tenantID: string }): Uint8Array {
  return codecs.specific.encode(event);
}

export function encodeTenantEvent(event: TenantEvent): Uint8Array {
  return codecs.tenant.encode(event);
}
