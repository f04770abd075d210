import { Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import type { JsonValue } from '../model/json.js';
import type { AuthServer } from './auth-server.js';
import { type PublicKey, publicKeysOf } from './public-keys.js';

/** `unknown`: the issuer has no such key. `away`: it did not say. */
export type FoundKey = PublicKey | 'unknown' | 'away';

/** The keys of one issuer. */
export interface KeySet {
  /** At once where the key is known; else the set may be read again. A token without a key id takes the one key that fits. */
  find(keyId: string | undefined, algorithm: string): FoundKey | Promise<FoundKey>;
  /** Whether it is in the set as last read. */
  has(key: PublicKey): boolean;
  /** Reads the set, unless it was; false: it could not be read. */
  warm(): Promise<boolean>;
  status(): KeySetStatus;
}

export interface KeySetStatus {
  keys: number;
  /** absent: never */
  readAt?: string;
  /** of the last reading, where that failed */
  error?: string;
}

export interface KeySetTimes {
  /** an unknown key makes the set be read again, at most so often */
  rereadMs: number;
  /** the same as long as the set could never be read */
  firstMs: number;
  /** it is read again when it is so old: a key that was taken away counts for nothing then */
  staleMs: number;
}

export const KEY_SET_TIMES: KeySetTimes = { rereadMs: 30_000, firstMs: 1_000, staleMs: 300_000 };

export interface KeySetDeps {
  authServer: () => AuthServer;
  log: Logger;
  times?: Partial<KeySetTimes>;
  /** ms that only grow */
  monotonicMs?: () => number;
}

/** Of one issuer, so that those who invent key ids for it, while its auth server hangs, do not keep other tenants' callers. */
const MAX_WAITING = 1024;
const Keys = Type.Object({ keys: Type.Array(Type.Unknown()) });

/**
 * Reads the key set of an issuer when it is needed, once for all who wait for it. What was read is kept for as long as nothing else
 * can be read: an outage of the auth server does not stop who has a token.
 */
export function createKeySet(deps: KeySetDeps): KeySet {
  const { log, monotonicMs = () => performance.now() } = deps;
  const times = { ...KEY_SET_TIMES, ...deps.times };
  let keys: readonly PublicKey[] | undefined;
  let current: ReadonlySet<PublicKey> = new Set();
  let byId: ReadonlyMap<string, readonly PublicKey[]> = new Map();
  let readAt: Date | undefined;
  let error: string | undefined;
  let askedMs = -Infinity;
  let reading: Promise<void> | undefined;
  let waiting = 0;

  function take(named: readonly unknown[]): void {
    const before = new Map([...current].map((key) => [key.text, key]));
    // one that is still there is the same object: what it has vouched for still counts
    keys = publicKeysOf(named as JsonValue[]).map((key) => before.get(key.text) ?? key);
    current = new Set(keys);
    const grouped = new Map<string, PublicKey[]>();
    for (const key of keys) if (key.keyId !== undefined) push(grouped, key.keyId, key);
    byId = grouped;
    readAt = new Date();
    if (error !== undefined) log.info('The key set of the issuer can be read again.');
    error = undefined;
    if (keys.length === 0) log.warn('The key set of the issuer has no key that tokens can be signed with.');
  }

  async function read(): Promise<void> {
    askedMs = monotonicMs();
    const answer = await deps.authServer().ask('keys', { method: 'GET', answer: Keys });
    if (answer.kind === 'ok') return take(answer.value.keys);
    if (error === undefined)
      log.warn(
        { error: answer.message },
        keys === undefined
          ? 'The key set of the issuer can not be read; until it can, its tokens are answered with 503.'
          : 'The key set of the issuer can not be read; the keys that are known go on counting.',
      );
    error = answer.message;
  }

  function reread(): Promise<void> {
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  }

  /** Nobody waits for it. */
  function freshen(): void {
    if (reading === undefined && monotonicMs() - askedMs >= times.staleMs) void reread();
  }

  function lookUp(keyId: string | undefined, algorithm: string): PublicKey | undefined {
    if (keyId !== undefined) return byId.get(keyId)?.find((key) => key.fits(algorithm));
    const fitting = (keys ?? []).filter((key) => key.fits(algorithm));
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  const notFound = (): FoundKey => (keys === undefined || error !== undefined ? 'away' : 'unknown');

  return {
    find(keyId, algorithm) {
      const known = lookUp(keyId, algorithm);
      if (known !== undefined) {
        freshen();
        return known;
      }
      const wait = keys === undefined ? times.firstMs : times.rereadMs;
      if (reading === undefined && monotonicMs() - askedMs < wait) return notFound();
      if (waiting >= MAX_WAITING) return 'away';
      waiting++;
      return reread().then(() => {
        waiting--;
        return lookUp(keyId, algorithm) ?? notFound();
      });
    },
    has(key) {
      freshen();
      return current.has(key);
    },
    async warm() {
      if (keys === undefined) await reread();
      return keys !== undefined;
    },
    status: () => ({
      keys: keys?.length ?? 0,
      ...(readAt === undefined ? {} : { readAt: readAt.toISOString() }),
      ...(error === undefined ? {} : { error }),
    }),
  };
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
