import { createHash } from 'node:crypto';
import { ENDPOINT_TOKEN, NAME, TOKEN_FORM, isEndpointId } from '../../model/endpoint.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../model/json.js';
import { parseStrictJson } from '../../model/strict-json.js';
import { LINE_LIMIT_BYTES, type InputLine } from './read-lines.js';

export type ImportKind = 'registrations' | 'metadata';

export interface RegistrationItem {
  endpointId: string;
  endpointToken?: string;
  metadata?: JsonObject;
}

/** What a line asks for, as far as that can be said without asking the register. */
export type CheckedLine =
  | { kind: 'registration'; versionName: string; item: RegistrationItem }
  | { kind: 'metadata'; endpointId: string; conditional: boolean }
  | { kind: 'blank' }
  | { kind: 'bad'; message: string };

export interface CheckOptions {
  /** what every line must be; undefined: each line says it by having `appVersion` or not */
  as: ImportKind | undefined;
  /** what the ids of lines without one are made of, besides the line */
  seed: string;
}

// The register has the last word on nesting: its limit is configuration.
const NESTING = 256;

export function checkLine(line: InputLine, options: CheckOptions): CheckedLine {
  if (line.tooLong) return bad(`The line is longer than ${LINE_LIMIT_BYTES} bytes.`);
  if (isBlank(line.bytes)) return { kind: 'blank' };
  const parsed = parseStrictJson(line.bytes, NESTING);
  if (!parsed.ok) return bad(parsed.message);
  const value = parsed.value;
  if (!isJsonObject(value)) return bad('The line is not a JSON object.');
  const kind = options.as ?? (value['appVersion'] === undefined ? 'metadata' : 'registrations');
  return kind === 'registrations' ? checkRegistration(value, line, options.seed) : checkMetadata(value);
}

function checkRegistration(value: JsonObject, line: InputLine, seed: string): CheckedLine {
  const unknown = Object.keys(value).find(
    (key) => !['appVersion', 'endpointId', 'endpointToken', 'metadata', 'relations'].includes(key),
  );
  if (unknown !== undefined)
    return bad(
      `A registration has no field "${unknown}"; it has appVersion, endpointId, endpointToken and metadata.`,
    );
  const version = value['appVersion'];
  const versionName = isJsonObject(version) ? version['name'] : undefined;
  if (typeof versionName !== 'string' || !NAME.test(versionName)) {
    return bad(
      'A registration names its application version: {"appVersion":{"name":"demo-v1"}}, out of a-z, 0-9, "_" and "-".',
    );
  }
  if (value['relations'] !== undefined)
    return bad('Relations are not taken in an import: register this endpoint by POST /api/v1/endpoints.');
  const { endpointId, endpointToken, metadata } = value;
  if (endpointId !== undefined && !(typeof endpointId === 'string' && isEndpointId(endpointId)))
    return bad(badId(endpointId));
  if (
    endpointToken !== undefined &&
    !(typeof endpointToken === 'string' && ENDPOINT_TOKEN.test(endpointToken))
  ) {
    return bad(`An endpointToken has ${TOKEN_FORM}.`);
  }
  if (metadata !== undefined && !isJsonObject(metadata)) return bad('"metadata" is a JSON object.');
  const item: RegistrationItem = { endpointId: endpointId ?? stableId(line, seed) };
  if (endpointToken !== undefined) item.endpointToken = endpointToken;
  if (metadata !== undefined) item.metadata = metadata;
  return { kind: 'registration', versionName, item };
}

function checkMetadata(value: JsonObject): CheckedLine {
  const unknown = Object.keys(value).find((key) => !['endpointId', 'set', 'unset', 'ifMatch'].includes(key));
  if (unknown === 'metadata' || unknown === 'endpointToken')
    return bad('A registration names its application version: {"appVersion":{"name":"demo-v1"}}.');
  if (unknown !== undefined)
    return bad(`A metadata update has no field "${unknown}"; it has endpointId, set, unset and ifMatch.`);
  const { endpointId, set, unset, ifMatch } = value;
  if (typeof endpointId !== 'string' || !isEndpointId(endpointId)) return bad(badId(endpointId));
  if (set !== undefined && !isJsonObject(set)) return bad('"set" is a JSON object of keys and values.');
  if (unset !== undefined && !(Array.isArray(unset) && unset.every((key) => typeof key === 'string')))
    return bad('"unset" is a list of keys.');
  if (set === undefined && unset === undefined)
    return bad('A metadata update has "set" or "unset", or both.');
  if (ifMatch !== undefined && typeof ifMatch !== 'string')
    return bad('"ifMatch" is a text: an ETag as the register gave it.');
  return { kind: 'metadata', endpointId, conditional: ifMatch !== undefined };
}

function badId(found: JsonValue | undefined): string {
  const has =
    'an endpointId has 1 to 256 characters out of a-z, A-Z, 0-9, ".", "_", "~" and "-", and is not "." or ".."';
  if (found === undefined) return `There is no endpointId; ${has}.`;
  return `${JSON.stringify(found).slice(0, 80)} is not an endpointId: ${has}.`;
}

function bad(message: string): CheckedLine {
  return { kind: 'bad', message };
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9 && byte !== 13) return false;
  return true;
}

/**
 * An id for a registration that names none: a UUID (RFC 9562, version 8) out of the seed, the line and its number.
 * The same at every attempt, so that sending a line again, after a lost answer or a crash, registers nothing twice.
 */
function stableId(line: InputLine, seed: string): string {
  const hash = createHash('sha256').update(seed).update(`\n${line.number}\n`).update(line.bytes).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
