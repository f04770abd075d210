import { bufferOf } from './bytes.js';
import type { VersionRef } from './command.js';
import type { JsonObject } from './json.js';

/**
 * The stored form of an endpoint, in bytes:
 *
 * | offset | bytes | |
 * | --- | --- | --- |
 * | 0 | 1 | layout version, 2 |
 * | 1 | 1 | flags; 1: a tombstone (unregistered) |
 * | 4 | 4 | filter-set version it was last evaluated with, u32 |
 * | 8 | 8 | revision, f64 |
 * | 16 | 8 | created, Unix ms, f64 |
 * | 24 | 4 | length of the head, u32 |
 * | 28 | 8 | revision of the last change of metadata, the ETag's number, f64 |
 * | 36 | 8 | when that was, Unix ms, f64; -1 while there was none |
 * | 44 | | head: JSON text of {@link RecordHead} |
 * | | | metadata: JSON text of an object, to the end |
 *
 * All numbers little-endian. What guards a write, and what every change of metadata changes, stands at fixed places: a
 * keeper compares it without parsing, and the head's bytes go from one record to the next as they are. The metadata is
 * the tail, so that a read answers it as it stands.
 */
export interface RecordHead {
  endpointId: string;
  tenant: string;
  application: string;
  /** name of the application version */
  version: string;
  /** when it got this version, Unix ms */
  versionSinceMs: number;
  /** keyed hash of the endpoint's token, hexadecimal */
  tokenHash?: string;
  /** the batch task that registered it */
  task?: string;
  /** a tombstone's date, Unix ms */
  deletedMs?: number;
}

/** What must still be true of a stored record for a write computed from it to happen. Nothing stored: both 0. */
export interface Guard {
  revision: number;
  filterSet: number;
}

export const ABSENT: Guard = { revision: 0, filterSet: 0 };

/** A record in parts, its metadata still as JSON text. */
export interface EndpointRecord extends Guard {
  head: RecordHead;
  createdMs: number;
  /** revision of the last change of metadata: the ETag's number */
  metadataRevision: number;
  /** Unix ms of the last change of metadata; absent while there was none */
  metadataUpdatedMs?: number;
  metadataText: string;
}

const LAYOUT = 2;
const TOMBSTONE = 1;
const METADATA_REVISION_AT = 28;
const METADATA_UPDATED_AT = 36;
const HEAD_AT = 44;
const NEVER = -1;

/** Used again for each record: what it writes is copied out. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024);

/** @param headBytes the head as it stands in a record already, when it does: saves writing it anew */
export function encodeRecord(record: EndpointRecord, headBytes?: Uint8Array): Uint8Array {
  const head = headBytes ?? Buffer.from(JSON.stringify(record.head));
  const metadataAt = HEAD_AT + head.length;
  const most = metadataAt + record.metadataText.length * 3; // a UTF-16 unit is at most three bytes of UTF-8
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most * 2);
  const buffer = scratch;
  buffer[0] = LAYOUT;
  buffer[1] = record.head.deletedMs === undefined ? 0 : TOMBSTONE;
  buffer[2] = 0;
  buffer[3] = 0;
  buffer.writeUInt32LE(record.filterSet, 4);
  buffer.writeDoubleLE(record.revision, 8);
  buffer.writeDoubleLE(record.createdMs, 16);
  buffer.writeUInt32LE(head.length, 24);
  buffer.writeDoubleLE(record.metadataRevision, METADATA_REVISION_AT);
  buffer.writeDoubleLE(record.metadataUpdatedMs ?? NEVER, METADATA_UPDATED_AT);
  buffer.set(head, HEAD_AT);
  const end = metadataAt + buffer.write(record.metadataText, metadataAt, 'utf8');
  const bytes = Buffer.allocUnsafe(end);
  buffer.copy(bytes, 0, 0, end);
  return bytes;
}

/** Throws at a record of another version's. */
export function requireLayout(bytes: Uint8Array): void {
  if (bytes[0] !== LAYOUT)
    throw new Error(`A stored record has layout ${bytes[0]}; this version reads ${LAYOUT}.`);
}

export function decodeRecord(bytes: Uint8Array): EndpointRecord {
  const buffer = bufferOf(bytes);
  requireLayout(buffer);
  const metadataAt = HEAD_AT + buffer.readUInt32LE(24);
  const metadataUpdatedMs = metadataUpdatedOf(bytes);
  return {
    filterSet: buffer.readUInt32LE(4),
    revision: buffer.readDoubleLE(8),
    createdMs: buffer.readDoubleLE(16),
    metadataRevision: buffer.readDoubleLE(METADATA_REVISION_AT),
    ...(metadataUpdatedMs === undefined ? {} : { metadataUpdatedMs }),
    head: JSON.parse(buffer.toString('utf8', HEAD_AT, metadataAt)) as RecordHead,
    metadataText: buffer.toString('utf8', metadataAt),
  };
}

/** The head's bytes; a view of the record. */
export function headBytesOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_AT, HEAD_AT + bufferOf(bytes).readUInt32LE(24));
}

export function metadataRevisionOf(bytes: Uint8Array): number {
  return bufferOf(bytes).readDoubleLE(METADATA_REVISION_AT);
}

/** Unix ms; undefined while there was no change of metadata. */
export function metadataUpdatedOf(bytes: Uint8Array): number | undefined {
  const updatedMs = bufferOf(bytes).readDoubleLE(METADATA_UPDATED_AT);
  return updatedMs === NEVER ? undefined : updatedMs;
}

export function guardOf(bytes: Uint8Array): Guard {
  const buffer = bufferOf(bytes);
  return { filterSet: buffer.readUInt32LE(4), revision: buffer.readDoubleLE(8) };
}

export function createdOf(bytes: Uint8Array): number {
  return bufferOf(bytes).readDoubleLE(16);
}

/** True for what an unregistered endpoint leaves behind: no endpoint, but its revision goes on and its events are due. */
export function isTombstone(bytes: Uint8Array): boolean {
  return (bytes[1]! & TOMBSTONE) !== 0;
}

export function headOf(bytes: Uint8Array): RecordHead {
  const buffer = bufferOf(bytes);
  return JSON.parse(buffer.toString('utf8', HEAD_AT, HEAD_AT + buffer.readUInt32LE(24))) as RecordHead;
}

/**
 * When an endpoint got its version, Unix ms, told from the first characters of the head: undefined unless they are `start`,
 * as {@link headStart} makes it. A quarter of what parsing the head costs.
 */
export function versionSinceOf(bytes: Uint8Array, start: string): number | undefined {
  const end = HEAD_AT + start.length;
  const text = bufferOf(bytes).toString('latin1', HEAD_AT, end + LONGEST_NUMBER);
  return text.startsWith(start) ? parseFloat(text.slice(start.length)) : undefined;
}

/** How the head of an endpoint of this version begins. ASCII, but for the id: a record's key, which is its own. */
export function headStart(endpointId: string, versionPart: string): string {
  return `{"endpointId":${JSON.stringify(endpointId)}${versionPart}`;
}

/** For {@link headStart}; undefined where a name is not ASCII. */
export function versionPartOf({ tenant, application, version }: VersionRef): string | undefined {
  const text = `${JSON.stringify({ tenant, application, version }).slice(0, -1)},"versionSinceMs":`;
  return /^[\x20-\x7e]*$/.test(text) ? `,${text.slice(1)}` : undefined;
}

const LONGEST_NUMBER = 24;

/** Whether the record of this endpoint is of the tenant: told from the first characters of the head where they can tell. */
export function isOfTenant(bytes: Uint8Array, endpointId: string, tenant: string): boolean {
  // an id needs no escapes; what differs, for whatever reason, is parsed
  const start = `{"endpointId":"${endpointId}","tenant":${JSON.stringify(tenant)},`;
  const text = bufferOf(bytes).toString('latin1', HEAD_AT, HEAD_AT + start.length);
  return text === start || headOf(bytes).tenant === tenant;
}

/** The metadata as JSON text in UTF-8; a view of the record. */
export function metadataBytesOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_AT + bufferOf(bytes).readUInt32LE(24));
}

/** The metadata as JSON text. */
export function metadataTextOf(bytes: Uint8Array): string {
  const buffer = bufferOf(bytes);
  return buffer.toString('utf8', HEAD_AT + buffer.readUInt32LE(24));
}

export function metadataOf(bytes: Uint8Array): JsonObject {
  return JSON.parse(metadataTextOf(bytes)) as JsonObject;
}

/**
 * The entity tag of an endpoint's metadata, quotes included (RFC 9110, section 8.8.3). It names the registration too,
 * so that an endpoint that is unregistered and registered again never has an old tag.
 */
export function etagOf(createdMs: number, metadataRevision: number): string {
  // base 36 of a number beyond 31 bits takes V8 several times as long as that of its two halves
  const high = Math.floor(createdMs / ETAG_HALF);
  const low = (createdMs % ETAG_HALF).toString(36).padStart(ETAG_HALF_DIGITS, '0');
  const created = high === 0 ? createdMs.toString(36) : high.toString(36) + low;
  return `"${created}-${metadataRevision.toString(36)}"`;
}

const ETAG_HALF_DIGITS = 5;
const ETAG_HALF = 36 ** ETAG_HALF_DIGITS;
