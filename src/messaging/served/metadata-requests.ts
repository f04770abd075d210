import { requestCodecs } from '../../avro/index.js';
import { isEndpointId } from '../../model/endpoint.js';
import { readIfMatch } from '../../model/entity-tags.js';
import { type Refusal, refuse } from '../../model/errors.js';
import type { JsonObject } from '../../model/json.js';
import { type Answer, ok } from '../../model/outcome.js';
import { headOf, metadataOf } from '../../model/record.js';
import { includedMetadata } from '../../register/index.js';
import { counted, defineRequest, type ServedRequest, type Surroundings } from './definition.js';
import { createIdsByVersion } from './ids-by-version.js';
import { keyCommand, readJson } from './key-command.js';
import { updateKeys } from './key-batch.js';

const codecs = requestCodecs.epmmp;
const protocol = 'epmmp';

/** A JSON Patch has a list, operations and values in them around what is stored. */
const PATCH_LEVELS = 3;
const IDS_AT_ONCE = 500;

const everybody = async (ids: readonly string[]) => ids.map(() => true);

/** The record of an endpoint, as `GET /endpoints/{endpointId}` finds it. */
export async function findRecord(
  endpointId: string,
  correlationId: string,
  { register }: Surroundings,
): Promise<Answer<Uint8Array>> {
  if (!isEndpointId(endpointId)) return refuse('invalid-endpoint-id');
  return register.endpoints.get({ correlationId }, endpointId);
}

const getMetadata = defineRequest({
  protocol,
  name: 'ep-metadata-get-request',
  codec: codecs['ep-metadata-get-request'],
  writes: false,
  async handle({ endpointId, correlationId, include, includeMetadata }, surroundings) {
    const found = await findRecord(endpointId, correlationId, surroundings);
    if (found.kind !== 'ok') return found;
    const { relations } = surroundings.register;
    const shown = await includedMetadata(relations, found.value, include, everybody);
    if (shown.kind !== 'ok') return shown;
    const { json, etag: eTag } = shown.value;
    const payload = !includeMetadata ? null : typeof json === 'string' ? Buffer.from(json) : json;
    return ok({ endpointId, eTag, payload, appVersionName: headOf(found.value).version });
  },
  echo: ({ endpointId }) => ({ endpointId, eTag: null, payload: null, appVersionName: null }),
  amount({ payload }) {
    const keys = Object.keys(JSON.parse(Buffer.from(payload ?? '{}').toString()) as JsonObject);
    return `${counted(keys.length, 'metadata key')}, ${payload?.length ?? 0} bytes`;
  },
});

const patchMetadata = defineRequest({
  protocol,
  name: 'ep-metadata-patch-request',
  codec: codecs['ep-metadata-patch-request'],
  writes: true,
  async handle({ endpointId, correlationId, ifMatch, patch }, { register, limits, receivedMs }) {
    if (!isEndpointId(endpointId)) return refuse('invalid-endpoint-id');
    const condition = ifMatch === null ? undefined : readQuotedOrNot(ifMatch);
    if (condition !== undefined && 'kind' in condition) return condition;
    const read = readJson(patch, limits(), PATCH_LEVELS);
    if ('kind' in read) return read;
    const outcome = await register.endpoints.submit({
      type: 'json-patch',
      endpointId,
      correlationId,
      timestampMs: receivedMs,
      patchText: read.text,
      ...(condition === undefined ? {} : { ifMatch: condition.tags }),
    });
    return outcome.kind === 'refused' || outcome.kind === 'retry' ? outcome : ok({ endpointId });
  },
  echo: ({ endpointId }) => ({ endpointId }),
  amount: () => counted(1, 'endpoint'),
});

/** `ifMatch` of a message: as the header If-Match, and tags without quotes. */
function readQuotedOrNot(text: string): { tags: readonly string[] } | Refusal {
  if (text.includes('"') || text.trim() === '*') return readIfMatch(text);
  const tags = text.split(',').map((tag) => tag.trim());
  return readIfMatch(tags.map((tag) => (tag === '' ? '' : `"${tag}"`)).join(','));
}

const updateKey = defineRequest({
  protocol,
  name: 'ep-metadata-key-update-request',
  codec: codecs['ep-metadata-key-update-request'],
  writes: true,
  async handle(request, surroundings) {
    const command = keyCommand(request, request.correlationId, surroundings);
    if ('kind' in command) return command;
    const outcome = await surroundings.register.endpoints.submit(command);
    return outcome.kind === 'refused' || outcome.kind === 'retry'
      ? outcome
      : ok({ endpointId: request.endpointId });
  },
  echo: ({ endpointId }) => ({ endpointId }),
  amount: () => counted(1, 'endpoint'),
});

const updateKeyBatch = defineRequest({
  protocol,
  name: 'ep-metadata-key-batch-update-request',
  codec: codecs['ep-metadata-key-batch-update-request'],
  writes: true,
  weight: ({ commands }) => Math.max(1, commands.length),
  handle: ({ commands, correlationId }, surroundings) => updateKeys(commands, correlationId, surroundings),
  echo: () => ({}),
  amount: () => counted(0, 'value'),
});

const getKeys = defineRequest({
  protocol,
  name: 'ep-metadata-keys-get-request',
  codec: codecs['ep-metadata-keys-get-request'],
  writes: false,
  async handle({ endpointId, correlationId }, surroundings) {
    const found = await findRecord(endpointId, correlationId, surroundings);
    if (found.kind !== 'ok') return found;
    return ok({ endpointId, keys: Object.keys(metadataOf(found.value)).sort() });
  },
  echo: ({ endpointId }) => ({ endpointId, keys: [] }),
  amount: ({ keys }) => counted(keys.length, 'metadata key'),
});

const getVersions = defineRequest({
  protocol,
  name: 'ep-app-version-get-request',
  codec: codecs['ep-app-version-get-request'],
  writes: false,
  weight: ({ endpointIds }) => Math.max(1, Math.ceil(endpointIds.length / IDS_AT_ONCE)),
  async handle({ endpointIds, correlationId }, { register }) {
    const wanted = [...new Set(endpointIds)];
    const known = createIdsByVersion();
    for (let at = 0; at < wanted.length; at += IDS_AT_ONCE) {
      const page = await register.endpoints.list(
        { correlationId },
        {
          endpointIds: wanted.slice(at, at + IDS_AT_ONCE),
          regex: false,
          sort: { by: 'endpointId', direction: 'asc' },
          offset: 0,
          limit: IDS_AT_ONCE,
        },
      );
      if (page.kind !== 'ok') return page;
      known.add(page.value.records);
    }
    if (known.count === 0 && wanted.length > 0) {
      const which = wanted.length === 1 ? 'The endpoint is not' : `None of the ${wanted.length} endpoints is`;
      return refuse('endpoint-not-found', `${which} registered.`);
    }
    return ok({ endpointIds, appVersionsToEndpoints: known.versions });
  },
  echo: ({ endpointIds }) => ({ endpointIds, appVersionsToEndpoints: {} }),
  amount: ({ endpointIds }) => counted(endpointIds.length, 'endpoint'),
});

/** EPMMP: metadata and application versions of endpoints. */
export const metadataRequests: readonly ServedRequest[] = [
  getMetadata,
  patchMetadata,
  updateKey,
  updateKeyBatch,
  getKeys,
  getVersions,
];
