import { LRUCache } from 'lru-cache';
import { refuse } from '../model/errors.js';
import type { Scope } from '../model/scopes.js';
import type { Caller, Decided, Granted } from './access.js';
import type { DecisionMetrics } from './decision-metrics.js';
import { tokenKey } from './token-cache.js';
import { createGrantReader, createTokenReader, type RoleGrants } from './token-rights.js';
import { ASKED_AT_ONCE, type Uma, type UmaAnswer, type Unanswered } from './uma.js';
import type { VerifiedToken } from './verified-token.js';

export interface DecisionsDeps {
  uma: Uma;
  /** read for each decision; the same object as long as nothing changes */
  roleGrants: () => RoleGrants;
  /** how long an answer is kept */
  cacheMs: number;
  metrics: DecisionMetrics;
  now?: () => number;
}

export interface Decisions {
  decide(caller: Caller, scope: Scope, resources: readonly string[]): Decided | Promise<Decided>;
  granted(caller: Caller, scope: Scope): Granted | Promise<Granted>;
  /** A resource was made or removed here: what was said of it before counts no more. */
  changed(resource: string): void;
}

/** Resources of one list, of a caller who is granted them one by one. */
const MAX_LISTED = 50_000;
/** Answers that are kept; each takes some 300 bytes. */
const MAX_ANSWERS = 100_000;
/** Names in all lists that are kept. */
const MAX_NAMES = 500_000;
/** A resource that the auth server does not know may be there the next moment. */
const UNKNOWN_KEPT_MS = 2_000;
interface Kept {
  granted: boolean;
  decidedMs: number;
  untilMs: number;
}

/**
 * Decides in the order of security.md: what the token itself says, what its roles grant, what the auth server answers.
 * Answers of the auth server are kept for each token, scope and resource; equal questions at the same time are asked
 * once. What can't be known is `auth-server-unavailable`, never a grant.
 */
export function createDecisions(deps: DecisionsDeps): Decisions {
  const { uma, cacheMs, metrics, now = Date.now } = deps;
  const answers = new LRUCache<string, Kept>({ max: MAX_ANSWERS });
  const lists = new LRUCache<string, { names: ReadonlySet<string>; untilMs: number }>({
    maxSize: MAX_NAMES,
    sizeCalculation: ({ names }) => names.size + 1,
  });
  /** when resources were made or removed here; older answers about them are void */
  const changes = new LRUCache<string, number>({
    max: MAX_ANSWERS,
    ttl: Math.max(1, cacheMs),
    // of more changes than are kept, all answers that are older than one of them are void
    dispose: (changedMs, _resource, reason) => {
      if (reason === 'evict') voidUntilMs = Math.max(voidUntilMs, changedMs);
    },
  });
  let voidUntilMs = -Infinity;
  const asking = new Map<string, Promise<UmaAnswer | Unanswered>>();
  const listing = new Map<string, Promise<ReadonlySet<string> | Unanswered>>();
  const ofToken = createTokenReader();
  const grants = createGrantReader();

  function decide(caller: Caller, scope: Scope, resources: readonly string[]): Decided | Promise<Decided> {
    const { token } = caller;
    if (token === undefined) return resources.map(() => false);
    const byRole = grants(deps.roleGrants(), token, scope);
    const found: (boolean | undefined)[] = new Array<boolean | undefined>(resources.length);
    let open = false;
    for (let i = 0; i < resources.length; i++) {
      const resource = resources[i]!;
      if (ofToken(token, resource, scope)) {
        metrics.granted('token');
        found[i] = true;
      } else if (byRole) {
        metrics.granted('role');
        found[i] = true;
      } else {
        const kept = keptOf(token, scope, resource);
        if (kept === undefined) open = true;
        else metrics.decided('cache', kept);
        found[i] = kept;
      }
    }
    return open ? decideOpen(token, scope, resources, found) : (found as boolean[]);
  }

  function keptOf(token: VerifiedToken, scope: Scope, resource: string): boolean | undefined {
    const kept = answers.get(keyOf(token, scope, resource));
    if (kept === undefined || kept.untilMs <= now()) return undefined;
    return Math.max(voidUntilMs, changes.get(resource) ?? -Infinity) >= kept.decidedMs
      ? undefined
      : kept.granted;
  }

  /** Asks for those that are not known yet, some at a time; what somebody else asks for already is waited for. */
  async function decideOpen(
    token: VerifiedToken,
    scope: Scope,
    resources: readonly string[],
    found: (boolean | undefined)[],
  ): Promise<Decided> {
    const fresh = new Set<string>();
    const waits: { at: number; answer: Promise<UmaAnswer | Unanswered> }[] = [];
    const own: { at: number; resource: string }[] = [];
    resources.forEach((resource, at) => {
      if (found[at] !== undefined) return;
      const running = asking.get(keyOf(token, scope, resource));
      if (running !== undefined) waits.push({ at, answer: running });
      else {
        fresh.add(resource);
        own.push({ at, resource });
      }
    });
    const names = [...fresh];
    for (let from = 0; from < names.length; from += ASKED_AT_ONCE) {
      const some = names.slice(from, from + ASKED_AT_ONCE);
      const askedMs = now();
      const chunk = uma.ask(token, scope, some).then((answer) => {
        some.forEach((resource, i) => {
          const key = keyOf(token, scope, resource);
          asking.delete(key);
          if (Array.isArray(answer)) keep(token, key, askedMs, answer[i]!);
        });
        return answer;
      });
      some.forEach((resource, i) =>
        asking.set(
          keyOf(token, scope, resource),
          chunk.then((answer) => (Array.isArray(answer) ? answer[i]! : answer)),
        ),
      );
    }
    for (const { at, resource } of own)
      waits.push({ at, answer: asking.get(keyOf(token, scope, resource))! });
    for (const { at, answer } of waits) {
      const one = await answer;
      if (typeof one === 'object') return one;
      metrics.decided('auth-server', one === true);
      found[at] = one === true;
    }
    return found as boolean[];
  }

  function keep(token: VerifiedToken, key: string, askedMs: number, one: UmaAnswer): void {
    const lastsMs = one === 'unknown' ? Math.min(cacheMs, UNKNOWN_KEPT_MS) : cacheMs;
    const untilMs = Math.min(askedMs + lastsMs, token.expiresMs);
    if (untilMs > now()) answers.set(key, { granted: one === true, decidedMs: askedMs, untilMs });
  }

  function granted(caller: Caller, scope: Scope): Granted | Promise<Granted> {
    const { token } = caller;
    if (token === undefined) return new Set();
    if (grants(deps.roleGrants(), token, scope)) {
      metrics.granted('role');
      return 'all';
    }
    const key = keyOf(token, scope, '');
    const kept = lists.get(key);
    if (kept !== undefined && kept.untilMs > now()) {
      metrics.granted('cache');
      return kept.names;
    }
    const running = listing.get(key);
    if (running !== undefined) return running;
    const asked = askForAll(token, scope, key).finally(() => listing.delete(key));
    listing.set(key, asked);
    return asked;
  }

  async function askForAll(
    token: VerifiedToken,
    scope: Scope,
    key: string,
  ): Promise<ReadonlySet<string> | Unanswered> {
    const askedMs = now();
    const answer = await uma.list(token, scope, MAX_LISTED);
    if ('kind' in answer) return answer;
    const names = new Set(answer);
    for (const { resource, scopes } of token.permissions) if (scopes.includes(scope)) names.add(resource);
    if (names.size > MAX_LISTED)
      return refuse(
        'forbidden',
        `The caller is granted ${scope} on more than ${MAX_LISTED} resources one by one, too many for a list: name the endpoints, or have a role grant it (kaa.security.role-grants).`,
      );
    metrics.granted('auth-server');
    const untilMs = Math.min(askedMs + cacheMs, token.expiresMs);
    if (untilMs > now()) lists.set(key, { names, untilMs });
    return names;
  }

  return {
    decide,
    granted,
    changed(resource) {
      changes.set(resource, now());
      lists.clear();
    },
  };
}

const keys = new WeakMap<VerifiedToken, string>();

/** Holds no token: what is kept can't be used by who reads the memory. */
function keyOf(token: VerifiedToken, scope: Scope, resource: string): string {
  let key = keys.get(token);
  if (key === undefined) {
    key = `${token.tenant.name} ${tokenKey(token.token)}`;
    keys.set(token, key);
  }
  return `${key} ${scope} ${resource}`;
}
