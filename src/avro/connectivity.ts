import { createCodec } from './codec.js';
import { AvroReader } from './reader.js';
import type { MessageHead } from './schema-parts.js';
import { schemas } from './schemas.js';

/** 9/ELCE: endpoints that came or went, with the application version that each reported. */
export interface ConnectivityEvent extends MessageHead {
  /** application version names by endpoint id */
  endpoints: Record<string, string>;
  originatorReplicaId: string;
}

/** One that came, but for who sent it: the endpoints as they stand in the message. */
export interface ConnectivityReport extends MessageHead {
  endpointIds: string[];
  /** in the places of their endpoints */
  versionNames: string[];
}

const codec = createCodec<ConnectivityEvent>(schemas.consumed.connected);

export function encodeConnectivity(event: ConnectivityEvent): Uint8Array {
  return codec.encode(event);
}

/**
 * Reads a ConnectedEvent or a DisconnectedEvent: they have the same fields, and raw Avro carries no name. By hand, in half
 * the time of the codec: an object keyed by endpoint costs more than the texts. Throws AvroDecodeError. O(size).
 */
export function readConnectivity(payload: Uint8Array): ConnectivityReport {
  const from = new AvroReader(payload);
  const { name } = codec.schema;
  from.place = `${name}.correlationId`;
  const correlationId = from.string();
  from.place = `${name}.timestamp`;
  const timestamp = from.long();
  from.place = `${name}.timeout`;
  const timeout = from.long();
  from.place = `${name}.endpoints`;
  const endpointIds: string[] = [];
  const versionNames: string[] = [];
  for (let count = from.blockCount(); count > 0; count = from.blockCount()) {
    for (let i = 0; i < count; i++) {
      endpointIds.push(from.string());
      versionNames.push(from.string());
    }
  }
  from.place = `${name}.originatorReplicaId`;
  from.string();
  from.place = name;
  from.end();
  return { correlationId, timestamp, timeout, endpointIds, versionNames };
}
