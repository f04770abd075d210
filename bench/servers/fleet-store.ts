import { open, type RootDatabase } from 'lmdb';
import { encodeRecord, metadataOf } from '../../src/model/record.js';
import type { JsonObject } from '../../src/model/json.js';
import { APPLICATION, KEY, readFleet, textUpTo, VERSIONS } from '../fleet.js';

/**
 * The store of the baselines: LMDB as the embedded keeper of the service opens it, records in one table by endpoint id.
 * A write resolves after `fdatasync`, as all of lmdb-js do unless told otherwise.
 */
export interface FleetStore {
  db: RootDatabase<Buffer, string>;
  /** The record of an endpoint with another temperature, in the bytes in which the service stores it. `value`: JSON text. */
  recordWith: (endpointId: string, value: Buffer) => Buffer | undefined;
}

const REVISION_AT = 8;
const END = Buffer.from('}');

export function openFleetDb(folder: string): RootDatabase<Buffer, string> {
  return open<Buffer, string>({ path: folder, encoding: 'binary', noSubdir: false, noMemInit: true });
}

export function encodeStation(endpointId: string, metadataText: string): Buffer {
  const createdMs = Date.UTC(2022, 9, 22);
  return encodeRecord({
    revision: 1,
    filterSet: 24,
    createdMs,
    metadataRevision: 1,
    metadataUpdatedMs: createdMs,
    head: {
      endpointId,
      tenant: 'kaa',
      application: APPLICATION,
      version: VERSIONS[0],
      versionSinceMs: createdMs,
    },
    metadataText,
  }) as Buffer;
}

/** A new store with the fleet in it. */
export async function createFleetStore(folder: string, endpoints: number): Promise<FleetStore> {
  const db = openFleetDb(folder);
  const templates = new Map<string, { start: Buffer; revision: number }>();
  let written: Promise<boolean> | undefined;
  for (const { endpointId, metadata } of readFleet(endpoints)) {
    // The temperature is the last key, so that another one makes another end.
    const start = encodeStation(endpointId, textUpTo(KEY, metadata));
    templates.set(endpointId, { start, revision: 1 });
    written = db.put(endpointId, Buffer.concat([start, Buffer.from('0}')]));
  }
  await written;
  return {
    db,
    recordWith(endpointId, value) {
      const template = templates.get(endpointId);
      if (template === undefined) return undefined;
      const { start } = template;
      start.writeDoubleLE(++template.revision, REVISION_AT);
      return Buffer.concat([start, value, END]);
    },
  };
}

/** Reads what a contestant has left, when its process is gone. */
export async function readFleetStore(folder: string): Promise<Map<string, JsonObject>> {
  const db = openFleetDb(folder);
  const found = new Map<string, JsonObject>();
  for (const { key, value } of db.getRange()) found.set(key, metadataOf(value));
  await db.close();
  return found;
}
