import { compactVerify } from 'jose';
import type { Logger } from 'pino';
import { each } from '../model/each.js';
import { ERRORS } from '../model/errors.js';
import { retry, type Retry } from '../model/outcome.js';
import { createAtMostEvery } from '../observability/index.js';
import type { AuthServers } from './auth-server.js';
import { createKeySet, type KeySet, type KeySetStatus, type KeySetTimes } from './key-set.js';
import type { PublicKey } from './public-keys.js';
import type { SecurityMetrics } from './security-metrics.js';
import type { Tenant, Tenants } from './tenants.js';
import { createTokenCache, tailOf } from './token-cache.js';
import { readClaims, readHead, type TokenFault } from './token-claims.js';
import { takeApart } from './token-form.js';
import type { VerifiedToken } from './verified-token.js';

/** A token that is refused; `realm`: the tenant, where that is clear. */
export interface RefusedToken {
  kind: 'refused-token';
  fault: TokenFault;
  realm: string | undefined;
}

export type Verified = VerifiedToken | RefusedToken | Retry;

export interface TokenVerifier {
  /** One that was verified before, and counts. */
  known(token: string): VerifiedToken | undefined;
  /** At once for a token that was verified before. Never rejects. */
  verify(token: string): Verified | Promise<Verified>;
  /** Reads the key sets of the tenants that there are, of a hundred at most, so that the first request does not wait for them. */
  warm(): Promise<void>;
  /** Of the key sets of tenants whose tokens were looked at; of fifty of them, those that can't be read first. */
  status(): { shown: Record<string, KeySetStatus>; all: number; failing: number };
}

export interface TokenVerifierDeps {
  tenants: Tenants;
  authServers: AuthServers;
  log: Logger;
  metrics: SecurityMetrics;
  /** what every token must be meant for; absent: not compared */
  audience?: string;
  times?: Partial<KeySetTimes>;
  /** Unix ms */
  nowMs?: () => number;
  monotonicMs?: () => number;
}

interface Entry {
  token: VerifiedToken;
  /** what vouches for it */
  key: PublicKey;
}

/** Each generation; a token is 1 to 2 KiB, and what is read out of it is not much more. */
const CACHE = { entries: 10_000, bytes: 16 * 1024 * 1024 };
/** Verifications that are waited for, of a key set mostly. */
const MAX_WAITING = 4096;
const MOST_WARMED = 100;
const WARMED_AT_ONCE = 8;
const MOST_SHOWN = 50;
const TELL_EVERY_MS = 30_000;

/**
 * Verifies access tokens by the key set of their issuer (RFC 7519, 8725, 9068). What was verified once is known until it expires, its
 * key is no more in the set, or its tenant has changed; one that comes many times at once is verified once.
 */
export function createTokenVerifier(deps: TokenVerifierDeps): TokenVerifier {
  const { tenants, authServers, log, metrics, times, nowMs = Date.now } = deps;
  const clock = deps.monotonicMs === undefined ? {} : { monotonicMs: deps.monotonicMs };
  const cache = createTokenCache<Entry>(CACHE);
  const waiting = new Map<string, Promise<Verified>>();
  const keySets = new Map<string, { of: Tenant; keys: KeySet }>();
  const isDue = createAtMostEvery(TELL_EVERY_MS);
  const knownTokens = metrics.tokens.labels({ result: 'known' });
  metrics.watchTokens(() => cache.size);
  tenants.onChange(() => {
    for (const name of [...keySets.keys()]) if (tenants.byName(name) === undefined) keySets.delete(name);
  });

  /** Of its issuer and its address; a tenant that gets others gets another one. */
  function keySetOf(tenant: Tenant): KeySet {
    const known = keySets.get(tenant.name);
    if (known?.of === tenant) return known.keys;
    const { issuer, authServerUrl } = tenant;
    const keys =
      known?.of.issuer === issuer && known.of.authServerUrl === authServerUrl
        ? known.keys
        : createKeySet({
            authServer: () => authServers.of(tenant),
            log: log.child({ tenant: tenant.name, issuer }),
            ...(times === undefined ? {} : { times }),
            ...clock,
          });
    keySets.set(tenant.name, { of: tenant, keys });
    return keys;
  }

  function known(text: string): VerifiedToken | undefined {
    const tail = tailOf(text);
    const entry = cache.get(tail);
    if (entry === undefined || entry.token.token !== text) return undefined;
    const { token } = entry;
    const counts =
      token.expiresMs > nowMs() &&
      tenants.byName(token.tenant.name) === token.tenant &&
      keySetOf(token.tenant).has(entry.key);
    if (counts) {
      knownTokens.inc();
      return token;
    }
    cache.delete(tail);
    return undefined;
  }

  async function look(token: string): Promise<Verified> {
    const parts = takeApart(token);
    if (parts === undefined) return refused('malformed');
    const head = readHead(parts);
    if (typeof head === 'string') return refused(head);
    const tenant = await tenants.byIssuer(head.issuer);
    if (tenant === 'away') return retry('tenants-unavailable', ERRORS['tenants-unavailable'][1]);
    if (tenant === undefined) {
      tellIssuer(head.issuer);
      return refused('issuer');
    }
    const found = await keySetOf(tenant).find(head.keyId, head.algorithm);
    if (found === 'away') return away(tenant);
    if (found === 'unknown' || !(await isSignedBy(token, found, head.algorithm)))
      return refused('signature', tenant);
    const read = readClaims(parts.claims, tenant, token, nowMs(), deps.audience);
    if (typeof read === 'string') return refused(read, tenant);
    // it may be no more since it was found
    if (tenants.byName(tenant.name)?.issuer !== tenant.issuer) return refused('issuer');
    cache.set(tailOf(token), { token: read, key: found }, token.length);
    return read;
  }

  /** Most often the register is set up for another issuer than the one that gives the tokens, and nobody would know. */
  function tellIssuer(issuer: string): void {
    if (!isDue()) return;
    const known = tenants.list().slice(0, 5);
    log.warn(
      { issuer: issuer.slice(0, 200), known: known.map((tenant) => tenant.issuer) },
      'A token of an issuer that is of no tenant was refused; issuers are compared character for character.',
    );
  }

  function lookOnce(token: string): Verified | Promise<Verified> {
    const begun = waiting.get(token);
    if (begun !== undefined) return begun;
    if (waiting.size >= MAX_WAITING) {
      metrics.tokens.inc({ result: 'overloaded' });
      return retry('overloaded', 'As many tokens as are allowed wait to be verified. Try again shortly.');
    }
    const looking = look(token)
      .then((verified) => {
        metrics.tokens.inc({ result: resultOf(verified) });
        return verified;
      })
      .finally(() => waiting.delete(token));
    waiting.set(token, looking);
    return looking;
  }

  return {
    known,
    verify: (token) => known(token) ?? lookOnce(token),
    async warm() {
      await each(tenants.list().slice(0, MOST_WARMED), WARMED_AT_ONCE, (tenant) => keySetOf(tenant).warm());
    },
    status() {
      const now = [...keySets].map(([name, { keys }]) => [name, keys.status()] as const);
      const failing = now.filter(([, { error }]) => error !== undefined);
      const others = now.filter(([, { error }]) => error === undefined);
      return {
        shown: Object.fromEntries([...failing, ...others].slice(0, MOST_SHOWN)),
        all: now.length,
        failing: failing.length,
      };
    },
  };
}

async function isSignedBy(token: string, key: PublicKey, algorithm: string): Promise<boolean> {
  try {
    await compactVerify(token, await key.forAlgorithm(algorithm), { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}

function refused(fault: TokenFault, tenant?: Tenant): RefusedToken {
  return { kind: 'refused-token', fault, realm: tenant?.name };
}

function away(tenant: Tenant): Retry {
  return retry(
    'auth-server-unavailable',
    `The keys of the issuer of this token (tenant ${tenant.name}) can not be read now. Nothing was done. Try again shortly.`,
  );
}

function resultOf(verified: Verified): string {
  if (!('kind' in verified)) return 'verified';
  return verified.kind === 'refused-token' ? verified.fault : 'unavailable';
}
