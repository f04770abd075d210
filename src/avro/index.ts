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
export {
  type ConnectivityEvent,
  type ConnectivityReport,
  encodeConnectivity,
  readConnectivity,
} from './connectivity.js';
export {
  type BroadcastConfigurationUpdate,
  type ConfigurationUpdate,
  decodeBroadcastConfiguration,
  decodeServiceConfiguration,
  decodeTenantEvent,
  encodeBroadcastConfiguration,
  encodeServiceConfiguration,
  encodeTenantEvent,
  type TenantEvent,
} from './broadcasts.js';
export { type ExchangeCodec, type KeyUpdate, requestCodecs } from './requests.js';
export type { MessageHead } from './schema-parts.js';
export { type AvroSchema, type Codec, type RecordSchema, createCodec } from './codec.js';
export { AvroDecodeError } from './reader.js';
export { schemas } from './schemas.js';
