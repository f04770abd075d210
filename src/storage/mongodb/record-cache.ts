import { LRUCache } from 'lru-cache';
import { guardOf } from '../../model/record.js';

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

  /** After a read: what a write of ours put here meanwhile may be newer, and then stays. */
  read(id: string, record: Uint8Array): Uint8Array {
    const copy = new Uint8Array(record);
    const known = this.records.peek(id);
    if (known === undefined || isNewer(copy, known)) this.records.set(id, copy);
    return copy;
  }

  drop(id: string): void {
    this.records.delete(id);
  }
}

function isNewer(record: Uint8Array, other: Uint8Array): boolean {
  const [a, b] = [guardOf(record), guardOf(other)];
  return a.revision > b.revision || (a.revision === b.revision && a.filterSet > b.filterSet);
}
