import type { JsonObject } from './json.js';

/**
 * The stored form of an endpoint, in bytes:
 *
 * | offset | bytes | |
 * | --- | --- | --- |
 * | 0 | 1 | layout version, 1 |
 * | 1 | 1 | flags; 1: a tombstone (unregistered) |
 * | 4 | 4 | filter-set version it was last evaluated with, u32 |
 * | 8 | 8 | revision, f64 |
 * | 16 | 8 | created, Unix ms, f64 |
 * | 24 | 4 | length of the head, u32 |
 * | 28 | | head: JSON text of {@link RecordHead} |
 * | | | metadata: JSON text of an object, to the end |
 *
 * All numbers little-endian. What guards a write stands at fixed places, so that a keeper compares it without
 * parsing; the metadata is the tail, so that a read answers it as it stands.
 */
export interface RecordHead {
  endpointId: string;
  tenant: string;
  application: string;
  /** name of the application version */
  version: string;
  /** when it got this version, Unix ms */
  versionSinceMs: number;
  /** revision of the last change of metadata: the ETag's number */
  metadataRevision: number;
  /** Unix ms of the last change of metadata; absent while there was none */
  metadataUpdatedMs?: number;
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
  metadataText: string;
}

const LAYOUT = 1;
const TOMBSTONE = 1;
const HEAD_AT = 28;

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function encodeRecord(record: EndpointRecord): Uint8Array {
  const head = JSON.stringify(record.head);
  const headBytes = Buffer.byteLength(head);
  const metadataBytes = Buffer.byteLength(record.metadataText);
  const buffer = Buffer.allocUnsafe(HEAD_AT + headBytes + metadataBytes);
  buffer[0] = LAYOUT;
  buffer[1] = record.head.deletedMs === undefined ? 0 : TOMBSTONE;
  buffer[2] = 0;
  buffer[3] = 0;
  buffer.writeUInt32LE(record.filterSet, 4);
  buffer.writeDoubleLE(record.revision, 8);
  buffer.writeDoubleLE(record.createdMs, 16);
  buffer.writeUInt32LE(headBytes, 24);
  buffer.write(head, HEAD_AT, 'utf8');
  buffer.write(record.metadataText, HEAD_AT + headBytes, 'utf8');
  return buffer;
}

export function decodeRecord(bytes: Uint8Array): EndpointRecord {
  const buffer = bufferOf(bytes);
  if (buffer[0] !== LAYOUT)
    throw new Error(`A stored record has layout ${buffer[0]}; this version reads ${LAYOUT}.`);
  const metadataAt = HEAD_AT + buffer.readUInt32LE(24);
  return {
    filterSet: buffer.readUInt32LE(4),
    revision: buffer.readDoubleLE(8),
    createdMs: buffer.readDoubleLE(16),
    head: JSON.parse(buffer.toString('utf8', HEAD_AT, metadataAt)) as RecordHead,
    metadataText: buffer.toString('utf8', metadataAt),
  };
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

/** The metadata as JSON text in UTF-8; a view of the record. */
export function metadataBytesOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(HEAD_AT + bufferOf(bytes).readUInt32LE(24));
}

export function metadataOf(bytes: Uint8Array): JsonObject {
  return JSON.parse(bufferOf(metadataBytesOf(bytes)).toString('utf8')) as JsonObject;
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
