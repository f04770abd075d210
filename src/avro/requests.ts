import { type Codec, createCodec } from './codec.js';
import type { MessageHead } from './schema-parts.js';
import { schemas } from './schemas.js';

/** How a request that came to something, or to nothing, is answered. */
interface Status {
  /** as over HTTP */
  statusCode: number;
  reasonPhrase: string | null;
}

/** The value of one metadata key of one endpoint. */
export interface KeyUpdate {
  endpointId: string;
  metadataKey: string;
  /** JSON */
  metadataValue: Uint8Array;
}

interface OfEndpoint {
  endpointId: string;
}

/** Has no prototype where it was decoded. */
type IdsByVersion = Record<string, readonly string[]>;

/** Both records of a request, but for their heads. */
interface Exchanges {
  epmmp: {
    'ep-metadata-get-request': [
      OfEndpoint & { include: readonly string[]; includeMetadata: boolean },
      /** `payload`: a JSON object */
      OfEndpoint & { eTag: string | null; payload: Uint8Array | null; appVersionName: string | null },
    ];
    /** `patch`: RFC 6902 */
    'ep-metadata-patch-request': [OfEndpoint & { ifMatch: string | null; patch: Uint8Array }, OfEndpoint];
    'ep-metadata-key-update-request': [KeyUpdate, OfEndpoint];
    'ep-metadata-key-batch-update-request': [{ commands: readonly KeyUpdate[] }, object];
    'ep-metadata-keys-get-request': [OfEndpoint, OfEndpoint & { keys: readonly string[] }];
    'ep-app-version-get-request': [
      { endpointIds: readonly string[] },
      { endpointIds: readonly string[]; appVersionsToEndpoints: IdsByVersion },
    ];
  };
  efmp: {
    'ep-filters-request': [OfEndpoint, OfEndpoint & { filterIds: readonly string[] }];
    'ep-list-by-filter-request': [
      { filterId: string },
      { filterId: string; appVersionsToEndpoints: IdsByVersion },
    ];
  };
  eprmp: {
    'ep-relations-get-request': [OfEndpoint & { relation: string }, { endpointIds: readonly string[] }];
  };
}

/** Writes and reads both records of a request; `decode` throws AvroDecodeError. */
export interface ExchangeCodec<Request, Response> {
  request: Codec<MessageHead & Request>;
  response: Codec<MessageHead & Response & Status>;
}

type CodecsOf<Protocol extends Record<string, [unknown, unknown]>> = {
  [Name in keyof Protocol]: ExchangeCodec<Protocol[Name][0], Protocol[Name][1]>;
};

/** By protocol and request, as both are named in the subject. */
export const requestCodecs: { [Protocol in keyof Exchanges]: CodecsOf<Exchanges[Protocol]> } = {
  epmmp: codecsOf(schemas.served.epmmp) as CodecsOf<Exchanges['epmmp']>,
  efmp: codecsOf(schemas.served.efmp) as CodecsOf<Exchanges['efmp']>,
  eprmp: codecsOf(schemas.served.eprmp) as CodecsOf<Exchanges['eprmp']>,
};

function codecsOf(protocol: Record<string, Record<'request' | 'response', Codec<object>['schema']>>) {
  return Object.fromEntries(
    Object.entries(protocol).map(([name, { request, response }]) => [
      name,
      { request: createCodec(request), response: createCodec(response) },
    ]),
  );
}
