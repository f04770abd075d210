import type { FilterDocument, FilterReader } from '../filters/index.js';
import { FrameReader, FrameWriter } from '../model/frames.js';
import type { JsonObject, JsonValue } from '../model/json.js';
import { MetadataText } from '../model/metadata-text.js';
import { guardOf, headOf, metadataTextOf, type RecordHead, requireLayout } from '../model/record.js';

/** Records as the bytes of one message. O(bytes). */
export function encodeRecords(records: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 4;
  for (const { length } of records) size += 4 + length;
  const frame = new FrameWriter(size);
  frame.u32(records.length);
  for (const record of records) frame.bytes(record);
  return frame.finish();
}

/**
 * Places of the records that match some filter that they were not evaluated against yet. A record that can't be looked at
 * is among them: whoever evaluates it by itself will find out why.
 */
export function screenRecords(bytes: Uint8Array, filters: FilterReader): number[] {
  const frame = new FrameReader(bytes);
  const places: number[] = [];
  const count = frame.u32();
  for (let i = 0; i < count; i++) if (isToBeEvaluated(frame.bytes(), filters)) places.push(i);
  return places;
}

function isToBeEvaluated(record: Uint8Array, filters: FilterReader): boolean {
  try {
    requireLayout(record);
    const since = Math.max(guardOf(record).filterSet, filters.settled);
    if (since >= filters.version) return false;
    return filters.matchAll(new RecordDocument(record), since).length > 0;
  } catch {
    return true;
  }
}

/** A record as filters see it; what they don't ask for is not read. */
class RecordDocument implements FilterDocument {
  private readHead: RecordHead | undefined;
  private readMetadata: MetadataText | undefined;

  constructor(private readonly record: Uint8Array) {}

  get endpointId(): string {
    return this.head.endpointId;
  }

  get applicationVersion(): string {
    return this.head.version;
  }

  get metadata(): JsonObject {
    return this.metadataText.object();
  }

  value(key: string): JsonValue | undefined {
    return this.metadataText.value(key);
  }

  private get head(): RecordHead {
    return (this.readHead ??= headOf(this.record));
  }

  private get metadataText(): MetadataText {
    return (this.readMetadata ??= new MetadataText(metadataTextOf(this.record)));
  }
}
