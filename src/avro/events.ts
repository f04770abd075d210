import type { EventKind } from '../model/event.js';
import { createCodec } from './codec.js';
import { schemas } from './schemas.js';

/** What every event of a change of an endpoint says. */
export interface ChangeContext {
  correlationId: string;
  /** Unix ms */
  timestampMs: number;
  originatorReplicaId: string;
  endpointId: string;
  /** after the change */
  appVersionName: string;
  applicationName: string;
}

/** A metadata change; values are JSON text, `null` stands for JSON null. */
export interface EncodedDiff {
  added: Record<string, string | null>;
  updated: Record<string, { oldValue: string | null; newValue: string | null }>;
  removed: Record<string, string | null>;
}

/** What an event of a filter itself says. */
export interface FilterContext {
  correlationId: string;
  /** Unix ms */
  timestampMs: number;
  originatorReplicaId: string;
  filterId: string;
  applicationName: string;
  filterName: string | null;
}

const codecs = {
  registered: createCodec(schemas.events.registered),
  unregistered: createCodec(schemas.events.unregistered),
  'appversion-updated': createCodec(schemas.events['appversion-updated']),
  'metadata-updated': createCodec(schemas.events['metadata-updated']),
  'relations-updated': createCodec(schemas.events['relations-updated']),
  'ep-matched': createCodec(schemas.events['ep-matched']),
  'ep-unmatched': createCodec(schemas.events['ep-unmatched']),
  'filter-pending': createCodec(schemas.events['filter-pending']),
  'filter-activated': createCodec(schemas.events['filter-activated']),
  'filter-deleted': createCodec(schemas.events['filter-deleted']),
};

export function encodeRegistered(change: ChangeContext): Uint8Array {
  return codecs.registered.encode(lifecycle(change));
}

export function encodeUnregistered(change: ChangeContext): Uint8Array {
  return codecs.unregistered.encode(lifecycle(change));
}

export function encodeAppVersionUpdated(change: ChangeContext, previousAppVersionName: string): Uint8Array {
  return codecs['appversion-updated'].encode({ ...lifecycle(change), previousAppVersionName });
}

/** About 3 µs for 16 keys. */
export function encodeMetadataUpdated(change: ChangeContext, diff: EncodedDiff): Uint8Array {
  return codecs['metadata-updated'].encode({
    correlationId: change.correlationId,
    timestamp: change.timestampMs,
    timeout: 0,
    appVersionName: change.appVersionName,
    endpointId: change.endpointId,
    removed: diff.removed,
    added: diff.added,
    updated: diff.updated,
    originatorReplicaId: change.originatorReplicaId,
  });
}

/** Names both ends of the relation. */
export function encodeRelationsUpdated(
  change: { correlationId: string; timestampMs: number },
  endpointIds: readonly string[],
): Uint8Array {
  const { correlationId, timestampMs: timestamp } = change;
  return codecs['relations-updated'].encode({ correlationId, timestamp, timeout: 0, endpointIds });
}

export function encodeMatched(
  change: ChangeContext,
  filterId: string,
  filterName: string | null,
): Uint8Array {
  return codecs['ep-matched'].encode(membership(change, filterId, filterName));
}

export function encodeUnmatched(
  change: ChangeContext,
  filterId: string,
  filterName: string | null,
): Uint8Array {
  return codecs['ep-unmatched'].encode(membership(change, filterId, filterName));
}

export function encodeFilterEvent(
  kind: 'filter-pending' | 'filter-activated' | 'filter-deleted',
  filter: FilterContext,
): Uint8Array {
  const { timestampMs: timestamp, ...rest } = filter;
  return codecs[kind].encode({ ...rest, timestamp, timeout: 0 });
}

/** The event as an object that JSON can carry, fields named as in its schema. Throws AvroDecodeError. */
export function decodeEvent(kind: EventKind, payload: Uint8Array): Record<string, unknown> {
  return codecs[kind].decode(payload) as Record<string, unknown>;
}

function lifecycle(change: ChangeContext) {
  return {
    correlationId: change.correlationId,
    timestamp: change.timestampMs,
    timeout: 0,
    appVersionName: change.appVersionName,
    endpointId: change.endpointId,
    originatorReplicaId: change.originatorReplicaId,
  };
}

function membership(change: ChangeContext, filterId: string, filterName: string | null) {
  return {
    timestamp: change.timestampMs,
    timeout: 0,
    correlationId: change.correlationId,
    originatorReplicaId: change.originatorReplicaId,
    filterId,
    applicationName: change.applicationName,
    appVersionName: change.appVersionName,
    filterName,
    endpointId: change.endpointId,
  };
}
