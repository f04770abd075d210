import { LRUCache } from 'lru-cache';

/**
 * Tokens that were issued for registrations which then did not come to be (the storage was away): the next try of the
 * same gets them, as it could not get a given one a second time. Kept for a while, and only so many; in memory.
 */
export interface UnusedTokens {
  keep(place: TokenPlace, unused: UnusedToken): void;
  /** Gives it out once. A token that a caller gave is for who gives it again; one that was made, for who gives none. */
  take(place: TokenPlace, given: string | undefined): string | undefined;
}

export interface TokenPlace {
  application: string;
  endpointId: string;
}

export interface UnusedToken {
  token: string;
  wasGiven: boolean;
}

const MOST = 10_000;
/** It may be revoked where it was issued, and nobody says so. */
const KEPT_MS = 10 * 60_000;

export function createUnusedTokens(now: () => number): UnusedTokens {
  const kept = new LRUCache<string, UnusedToken & { sinceMs: number }>({ max: MOST });
  const keyOf = ({ application, endpointId }: TokenPlace) => `${application}/${endpointId}`;
  return {
    keep: (place, unused) => void kept.set(keyOf(place), { ...unused, sinceMs: now() }),
    take(place, given) {
      const key = keyOf(place);
      const unused = kept.get(key);
      if (unused === undefined || unused.sinceMs < now() - KEPT_MS) return undefined;
      const fits = unused.wasGiven ? unused.token === given : given === undefined;
      if (!fits) return undefined;
      kept.delete(key);
      return unused.token;
    },
  };
}
