import { LRUCache } from 'lru-cache';
import { refuse } from '../model/errors.js';
import type { Scope } from '../model/scopes.js';
import { type Caller, type Decided, type Granted, isDecided } from './access.js';
import type { DecisionMetrics } from './decision-metrics.js';
import { type ChangedSince, createResourceChanges, type ResourceChange } from './resource-changes.js';
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
  /**
   * A resource was made or removed here: what was said of it before counts no more, lists included. Nothing is asked by
   * itself; the next list of each caller of the tenant asks for what was made.
   */
  changed(tenant: string, resource: string, change: ResourceChange): void;
}

/** Resources of one list, of a caller who is granted them one by one. */
const MAX_LISTED = 50_000;
/** Answers that are kept; each takes some 300 bytes. */
const MAX_ANSWERS = 100_000;
/** Names in all lists that are kept. */
const MAX_NAMES = 500_000;
/**
 * A list is brought up to date by asking for what was made since, in up to five calls; of more it is asked for anew, for which
 * the auth server looks at all resources that it has.
 */
const MOST_ASKED_ONE_BY_ONE = 5 * ASKED_AT_ONCE;
/** A resource that the auth server does not know may be there the next moment. */
const UNKNOWN_KEPT_MS = 2_000;

interface Kept {
  granted: boolean;
  /** the last change of the tenant that it may know of */
  at: number;
  untilMs: number;
}

interface List {
  names: ReadonlySet<string>;
  /** the last change of the tenant that is in it */
  at: number;
  untilMs: number;
}

/** What is being asked, by who had seen the changes up to here. */
interface Asking<T> {
  at: number;
  answer: Promise<T | Unanswered>;
}

/**
 * Decides in the order of security.md: what the token itself says, what its roles grant, what the auth server answers.
 * Answers of the auth server are kept for each token, scope and resource; equal questions at the same time are asked
 * once. What can't be known is `auth-server-unavailable`, never a grant.
 */
export function createDecisions(deps: DecisionsDeps): Decisions {
  const { uma, cacheMs, metrics, now = Date.now } = deps;
  const answers = new LRUCache<string, Kept>({ max: MAX_ANSWERS });
  const lists = new LRUCache<string, List>({
    maxSize: MAX_NAMES,
    sizeCalculation: ({ names }) => names.size + 1,
  });
  const changes = createResourceChanges({ keptMs: cacheMs, now });
  const asking = new Map<string, Asking<UmaAnswer>>();
  const listing = new Map<string, Promise<List | Unanswered>>();
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
    return kept.at < changes.lastOf(token.tenant.name, resource) ? undefined : kept.granted;
  }

  /** Asks for those that are not known yet, some at a time; what somebody else asks for already is waited for. */
  async function decideOpen(
    token: VerifiedToken,
    scope: Scope,
    resources: readonly string[],
    found: (boolean | undefined)[],
  ): Promise<Decided> {
    const { name: tenant } = token.tenant;
    const fresh = new Set<string>();
    const waits: { at: number; answer: Promise<UmaAnswer | Unanswered> }[] = [];
    const own: { at: number; resource: string }[] = [];
    resources.forEach((resource, at) => {
      if (found[at] !== undefined) return;
      const running = asking.get(keyOf(token, scope, resource));
      if (running !== undefined && running.at >= changes.lastOf(tenant, resource))
        waits.push({ at, answer: running.answer });
      else {
        fresh.add(resource);
        own.push({ at, resource });
      }
    });
    const names = [...fresh];
    for (let from = 0; from < names.length; from += ASKED_AT_ONCE)
      ask(token, scope, names.slice(from, from + ASKED_AT_ONCE));
    for (const { at, resource } of own)
      waits.push({ at, answer: asking.get(keyOf(token, scope, resource))!.answer });
    for (const { at, answer } of waits) {
      const one = await answer;
      if (typeof one === 'object') return one;
      metrics.decided('auth-server', one === true);
      found[at] = one === true;
    }
    return found as boolean[];
  }

  /** One call, of {@link ASKED_AT_ONCE} at most; others find it in `asking` as long as it runs. */
  function ask(token: VerifiedToken, scope: Scope, resources: readonly string[]): void {
    const at = changes.last(token.tenant.name);
    const askedMs = now();
    const all = uma.ask(token, scope, resources);
    resources.forEach((resource, i) => {
      const key = keyOf(token, scope, resource);
      const answer = all.then((answers) => {
        if (asking.get(key) === entry) asking.delete(key);
        if (!Array.isArray(answers)) return answers;
        keep(token, key, { at, askedMs }, answers[i]!);
        return answers[i]!;
      });
      const entry = { at, answer };
      asking.set(key, entry);
    });
  }

  function keep(
    token: VerifiedToken,
    key: string,
    { at, askedMs }: { at: number; askedMs: number },
    one: UmaAnswer,
  ): void {
    const lastsMs = one === 'unknown' ? Math.min(cacheMs, UNKNOWN_KEPT_MS) : cacheMs;
    const untilMs = Math.min(askedMs + lastsMs, token.expiresMs);
    if (untilMs > now()) answers.set(key, { granted: one === true, at, untilMs });
  }

  function granted(caller: Caller, scope: Scope): Granted | Promise<Granted> {
    const { token } = caller;
    if (token === undefined) return new Set();
    if (grants(deps.roleGrants(), token, scope)) {
      metrics.granted('role');
      return 'all';
    }
    const key = keyOf(token, scope, '');
    const wanted = changes.last(token.tenant.name);
    const kept = listOf(key);
    if (kept !== undefined && kept.at >= wanted) {
      metrics.granted('cache');
      return kept.names;
    }
    return listWith(wanted, caller, token, scope, key);
  }

  function listOf(key: string): List | undefined {
    const kept = lists.get(key);
    return kept !== undefined && kept.untilMs > now() ? kept : undefined;
  }

  /** With the changes up to `wanted` in it: a list that is being asked for may be older than they are. */
  async function listWith(
    wanted: number,
    caller: Caller,
    token: VerifiedToken,
    scope: Scope,
    key: string,
  ): Promise<ReadonlySet<string> | Unanswered> {
    for (;;) {
      let running = listing.get(key);
      if (running === undefined) {
        running = freshList(caller, token, scope, key).finally(() => listing.delete(key));
        listing.set(key, running);
      }
      const list = await running;
      if ('kind' in list) return list;
      if (list.at >= wanted) return list.names;
    }
  }

  async function freshList(
    caller: Caller,
    token: VerifiedToken,
    scope: Scope,
    key: string,
  ): Promise<List | Unanswered> {
    const at = changes.last(token.tenant.name);
    const askedMs = now();
    const kept = listOf(key);
    const changed = kept && changes.since(token.tenant.name, kept.at, MOST_ASKED_ONE_BY_ONE);
    const names =
      kept !== undefined && changed !== undefined
        ? namesWith(kept.names, changed, await decide(caller, scope, changed.made))
        : await askForAll(token, scope);
    if ('kind' in names) return names;
    if (names.size > MAX_LISTED)
      return refuse(
        'forbidden',
        `The caller is granted ${scope} on more than ${MAX_LISTED} resources one by one, too many for a list: name the endpoints, or have a role grant it (kaa.security.role-grants).`,
      );
    const untilMs = changed === undefined ? Math.min(askedMs + cacheMs, token.expiresMs) : kept!.untilMs;
    const list = { names, at, untilMs };
    if (untilMs > now()) lists.set(key, list);
    return list;
  }

  async function askForAll(token: VerifiedToken, scope: Scope): Promise<ReadonlySet<string> | Unanswered> {
    const answer = await uma.list(token, scope, MAX_LISTED);
    if ('kind' in answer) return answer;
    const names = new Set(answer);
    for (const { resource, scopes } of token.permissions) if (scopes.includes(scope)) names.add(resource);
    metrics.granted('auth-server');
    return names;
  }

  return { decide, granted, changed: (...change) => changes.add(...change) };
}

/** The same set where nothing is another one. What is removed needs no question: the auth server does not know it any more. */
function namesWith(
  names: ReadonlySet<string>,
  { made, removed }: ChangedSince,
  decided: Decided,
): ReadonlySet<string> | Unanswered {
  if (!isDecided(decided)) return decided;
  const granted = made.filter((_resource, i) => decided[i]);
  const gone = [...removed, ...made.filter((_resource, i) => !decided[i])];
  if (granted.every((each) => names.has(each)) && !gone.some((each) => names.has(each))) return names;
  const next = new Set(names);
  for (const each of granted) next.add(each);
  for (const each of gone) next.delete(each);
  return next;
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
