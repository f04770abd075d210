export {
  type ChangeContext,
  type EncodedDiff,
  type FilterContext,
  decodeEvent,
  encodeAppVersionUpdated,
  encodeFilterEvent,
  encodeMatched,
  encodeMetadataUpdated,
  encodeRegistered,
  encodeRelationsUpdated,
  encodeUnmatched,
  encodeUnregistered,
} from './events.js';
export { type ConnectivityEvent, decodeConnectivity, encodeConnectivity } from './connectivity.js';
export { type AvroSchema, type Codec, type RecordSchema, createCodec } from './codec.js';
export { AvroDecodeError } from './reader.js';
export { schemas } from './schemas.js';
