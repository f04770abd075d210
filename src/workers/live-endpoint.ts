import type { FilterDocument } from '../filters/index.js';
import type { JsonObject, JsonValue } from '../model/json.js';
import { MetadataText } from '../model/metadata-text.js';
import {
  createdOf,
  headBytesOf,
  headOf,
  metadataRevisionOf,
  metadataTextOf,
  metadataUpdatedOf,
  type RecordHead,
  requireLayout,
} from '../model/record.js';

/** A live endpoint while commands change it. */
export interface LiveEndpoint {
  head: RecordHead;
  /** the head as it is stored; undefined when it changed */
  headBytes: Uint8Array | undefined;
  createdMs: number;
  metadataRevision: number;
  metadataUpdatedMs: number | undefined;
  metadata: MetadataText;
}

/** @param bytes a record, no tombstone */
export function readLive(bytes: Uint8Array): LiveEndpoint {
  requireLayout(bytes);
  return {
    head: headOf(bytes),
    headBytes: headBytesOf(bytes),
    createdMs: createdOf(bytes),
    metadataRevision: metadataRevisionOf(bytes),
    metadataUpdatedMs: metadataUpdatedOf(bytes),
    metadata: new MetadataText(metadataTextOf(bytes)),
  };
}

/** The endpoint as filters see it. */
export function documentOf(live: LiveEndpoint): FilterDocument {
  return new LiveDocument(live);
}

class LiveDocument implements FilterDocument {
  constructor(private readonly live: LiveEndpoint) {}

  get endpointId(): string {
    return this.live.head.endpointId;
  }

  get applicationVersion(): string {
    return this.live.head.version;
  }

  get metadata(): JsonObject {
    return this.live.metadata.object();
  }

  get length(): number {
    return this.live.metadata.text.length;
  }

  value(key: string): JsonValue | undefined {
    return this.live.metadata.value(key);
  }
}
