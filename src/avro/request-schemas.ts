import type { AvroSchema, RecordSchema } from './codec.js';
import { type Field, HEAD, record, RELATIONS, TEXT_OR_NULL, texts } from './schema-parts.js';

/** A request and what answers it. */
interface Exchange {
  request: RecordSchema;
  response: RecordSchema;
}

const METADATA = 'org.kaaproject.ipc.epmmp.gen.v1';
const FILTERS = 'org.kaaproject.ipc.efmp.gen.v1';

const TEXTS: AvroSchema = { type: 'array', items: 'string' };
const REASON: Field = { name: 'reasonPhrase', type: TEXT_OR_NULL, default: null };
const STATUS: readonly Field[] = [{ name: 'statusCode', type: 'int' }, REASON];
const IDS_BY_VERSION: Field = { name: 'appVersionsToEndpoints', type: { type: 'map', values: TEXTS } };

const KEY_UPDATE: readonly Field[] = [
  ...texts('endpointId', 'metadataKey'),
  { name: 'metadataValue', type: 'bytes' },
];

/** Endpoint metadata, by the last token of the subject. */
export const epmmp = {
  'ep-metadata-get-request': exchange(
    METADATA,
    'EndpointMetadataGet',
    [
      ...texts('endpointId'),
      { name: 'include', type: TEXTS, default: [] },
      { name: 'includeMetadata', type: 'boolean', default: true },
    ],
    [
      ...texts('endpointId'),
      { name: 'eTag', type: TEXT_OR_NULL, default: null },
      { name: 'payload', type: ['null', 'bytes'], default: null },
      ...STATUS,
      { name: 'appVersionName', type: TEXT_OR_NULL, default: null },
    ],
  ),
  'ep-metadata-patch-request': exchange(
    METADATA,
    'EndpointMetadataPatch',
    [
      ...texts('endpointId'),
      { name: 'ifMatch', type: TEXT_OR_NULL, default: null },
      { name: 'patch', type: 'bytes' },
    ],
    [...texts('endpointId'), ...STATUS],
  ),
  'ep-metadata-key-update-request': exchange(METADATA, 'EndpointMetadataKeyUpdate', KEY_UPDATE, [
    ...texts('endpointId'),
    ...STATUS,
  ]),
  'ep-metadata-key-batch-update-request': exchange(
    METADATA,
    'EndpointMetadataKeyBatchUpdate',
    [
      {
        name: 'commands',
        type: { type: 'array', items: record(METADATA, 'EndpointMetadataKeyUpdateCommand', KEY_UPDATE) },
      },
    ],
    STATUS,
  ),
  'ep-metadata-keys-get-request': exchange(METADATA, 'EndpointMetadataKeysGet', texts('endpointId'), [
    ...texts('endpointId'),
    { name: 'keys', type: TEXTS, default: [] },
    ...STATUS,
  ]),
  'ep-app-version-get-request': exchange(
    METADATA,
    'AppVersionsByEndpoints',
    [{ name: 'endpointIds', type: TEXTS }],
    [{ name: 'endpointIds', type: TEXTS }, IDS_BY_VERSION, ...STATUS],
  ),
};

/** Filters of endpoints. */
export const efmp = {
  'ep-filters-request': exchange(FILTERS, 'EndpointFilters', texts('endpointId'), [
    ...texts('endpointId'),
    { name: 'filterIds', type: TEXTS },
    ...STATUS,
  ]),
  'ep-list-by-filter-request': exchange(FILTERS, 'EndpointListByFilter', texts('filterId'), [
    ...texts('filterId'),
    IDS_BY_VERSION,
    ...STATUS,
  ]),
};

/** Relations of endpoints. */
export const eprmp = {
  'ep-relations-get-request': exchange(RELATIONS, 'EndpointRelationsGet', texts('endpointId', 'relation'), [
    { name: 'endpointIds', type: TEXTS, default: [] },
    ...STATUS,
  ]),
};

function exchange(
  namespace: string,
  name: string,
  request: readonly Field[],
  response: readonly Field[],
): Exchange {
  return {
    request: record(namespace, `${name}Request`, [...HEAD, ...request]),
    response: record(namespace, `${name}Response`, [...HEAD, ...response]),
  };
}
