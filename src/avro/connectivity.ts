import { createCodec } from './codec.js';
import { schemas } from './schemas.js';

/** 9/ELCE: endpoints that came or went, with the application version that each reported. */
export interface ConnectivityEvent {
  correlationId: string;
  /** Unix ms */
  timestamp: number;
  /** ms after `timestamp`; 0: never */
  timeout: number;
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
