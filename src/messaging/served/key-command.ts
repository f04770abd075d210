import type { KeyUpdate } from '../../avro/index.js';
import type { Command } from '../../model/command.js';
import { isEndpointId } from '../../model/endpoint.js';
import { type Refusal, refuse } from '../../model/errors.js';
import { parseStrictJson } from '../../model/strict-json.js';
import type { ServedDeps, Surroundings } from './definition.js';

/** The command of a key update; or what is wrong with its form, as over REST. */
export function keyCommand(
  { endpointId, metadataKey, metadataValue }: KeyUpdate,
  correlationId: string,
  { limits, receivedMs }: Surroundings,
): Command | Refusal {
  if (!isEndpointId(endpointId)) return refuse('invalid-endpoint-id');
  if (metadataKey === '') return refuse('invalid-metadata-key', 'A metadata key has at least one character.');
  const read = readJson(metadataValue, limits(), 0);
  if ('kind' in read) return read;
  return {
    type: 'set-key',
    endpointId,
    correlationId,
    timestampMs: receivedMs,
    key: metadataKey,
    valueText: read.text,
  };
}

/** @param levelsAbove of nesting, around what the limit is of */
export function readJson(
  bytes: Uint8Array,
  { nesting, bodyBytes }: ReturnType<ServedDeps['limits']>,
  levelsAbove: number,
): { text: string } | Refusal {
  if (bytes.length > bodyBytes) {
    return refuse(
      'body-too-large',
      `The JSON may have ${bodyBytes} bytes (server.max-body); found ${bytes.length}.`,
    );
  }
  const parsed = parseStrictJson(bytes, nesting + levelsAbove);
  return parsed.ok ? { text: parsed.text.trim() } : refuse(parsed.code, parsed.message);
}
