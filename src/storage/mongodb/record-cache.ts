import { LRUCache } from 'lru-cache';

const MAX_BYTES = 64 * 1024 * 1024;
const ENTRY_BYTES = 200; // of the cache's own, by its manual's rule of thumb

/**
 * Records as this process last read or wrote them: at most 64 MiB, least recently used go first. May be old, for other
 * replicas write too; the guard of a write catches that, and then the record is dropped here and read anew.
 */
export class RecordCache {
  private readonly records = new LRUCache<string, Uint8Array>({
    maxSize: MAX_BYTES,
    sizeCalculation: (record, id) => record.length + 2 * id.length + ENTRY_BYTES,
  });

  get(id: string): Uint8Array | undefined {
    return this.records.get(id);
  }

  /** After a write of ours: nothing that this process knows is newer. The bytes are copied: they may be part of a larger run. */
  wrote(id: string, record: Uint8Array): void {
    this.records.set(id, new Uint8Array(record));
  }

  /** After a read: what a write of ours put here meanwhile may be newer and stays. */
  read(id: string, record: Uint8Array): Uint8Array {
    const copy = new Uint8Array(record);
    if (!this.records.has(id)) this.records.set(id, copy);
    return copy;
  }

  drop(id: string): void {
    this.records.delete(id);
  }
}
