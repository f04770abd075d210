import { headOf } from '../../model/record.js';

/** Ids of endpoints by the application version that each has. */
export interface IdsByVersion {
  add(records: readonly Uint8Array[]): void;
  /** without a prototype: an id or a version may be named as anything */
  readonly versions: Record<string, string[]>;
  readonly count: number;
  /** that they take in a response, at the least */
  readonly bytes: number;
}

export function createIdsByVersion(): IdsByVersion {
  const versions = Object.create(null) as Record<string, string[]>;
  let count = 0;
  let bytes = 0;
  return {
    add(records) {
      for (const { endpointId, version } of records.map(headOf)) {
        (versions[version] ??= []).push(endpointId);
        count++;
        bytes += endpointId.length + 1;
      }
    },
    versions,
    get count() {
      return count;
    },
    get bytes() {
      return bytes;
    },
  };
}
