import { createCodec } from './codec.js';
import type { MessageHead } from './schema-parts.js';
import { schemas } from './schemas.js';

/** 9/ELCE: endpoints that came or went, with the application version that each reported. */
export interface ConnectivityEvent extends MessageHead {
  /** application version names by endpoint id; has no prototype */
  endpoints: Record<string, string>;
  originatorReplicaId: string;
}

// ConnectedEvent and DisconnectedEvent have the same fields, and raw Avro carries no name: one codec does for both
const codec = createCodec<ConnectivityEvent>(schemas.consumed.connected);

/** A ConnectedEvent or a DisconnectedEvent. Throws AvroDecodeError. */
export function decodeConnectivity(payload: Uint8Array): ConnectivityEvent {
  return codec.decode(payload);
}

export function encodeConnectivity(event: ConnectivityEvent): Uint8Array {
  return codec.encode(event);
}
