import { createHash } from 'node:crypto';

/** What is known of tokens: bounded, those that are used stay. */
export interface TokenCache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, bytes: number): void;
  delete(key: string): void;
  readonly size: number;
}

/** SHA-256: who can make two tokens with one hash can do worse. Some 2 us for a token of 1 KiB. */
export function tokenKey(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

const TAIL = 64;

/**
 * The end of a token's signature: hashing the whole of it would be most of what a known token costs. Who can choose it can
 * choose that of another token, so it finds what is known, and the whole is compared.
 */
export function tailOf(token: string): string {
  return token.slice(-TAIL);
}

/**
 * Two generations: when the young one is full it becomes the old one, and what the old one had is forgotten but for what was
 * asked for meanwhile. O(1).
 *
 * @param most - of each generation, by number and by bytes
 */
export function createTokenCache<V>(most: { entries: number; bytes: number }): TokenCache<V> {
  let young = new Map<string, { value: V; bytes: number }>();
  let old = new Map<string, { value: V; bytes: number }>();
  let youngBytes = 0;

  function put(key: string, entry: { value: V; bytes: number }): void {
    if (young.size >= most.entries || youngBytes + entry.bytes > most.bytes) {
      old = young;
      young = new Map();
      youngBytes = 0;
    }
    youngBytes += entry.bytes;
    young.set(key, entry);
  }

  return {
    get(key) {
      const recent = young.get(key);
      if (recent !== undefined) return recent.value;
      const entry = old.get(key);
      if (entry === undefined) return undefined;
      old.delete(key);
      put(key, entry);
      return entry.value;
    },
    set(key, value, bytes) {
      this.delete(key);
      put(key, { value, bytes });
    },
    delete(key) {
      youngBytes -= young.get(key)?.bytes ?? 0;
      young.delete(key);
      old.delete(key);
    },
    get size() {
      return young.size + old.size;
    },
  };
}
