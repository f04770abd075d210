import { Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import type { Refusal } from '../model/errors.js';
import { isJsonObject, type JsonValue } from '../model/json.js';
import { retry, type Retry } from '../model/outcome.js';
import { createAtMostEvery } from '../observability/index.js';
import type { PeerAnswer } from '../peers/index.js';
import type { Scope } from '../model/scopes.js';
import type { AuthServers } from './auth-server.js';
import { challengeOf } from './challenge.js';
import type { VerifiedToken } from './verified-token.js';

/** The auth server has said so; `unknown`: it has no such resource, or the resource no such scope. */
export type UmaAnswer = boolean | 'unknown';
/** It has said nothing. Never a grant. */
export type Unanswered = Refusal | Retry;

/** What a caller may do, as the auth server of its tenant says: UMA 2.0 grants, asked with the caller's token. */
export interface Uma {
  /** In the order of the resources, {@link ASKED_AT_ONCE} at most. One call; of a server that passes over nothing, more. */
  ask(token: VerifiedToken, scope: Scope, resources: readonly string[]): Promise<UmaAnswer[] | Unanswered>;
  /** All resources on which the caller has the scope: `limit` of them and one more, where there are so many. One call. */
  list(token: VerifiedToken, scope: Scope, limit: number): Promise<ReadonlySet<string> | Unanswered>;
}

/** Permissions of one call (security.md). */
export const ASKED_AT_ONCE = 100;
const TELL_EVERY_MS = 30_000;
const TELL_UNKNOWN_EVERY_MS = 60_000;
const OF_APPLICATIONS = 'application-';
const UMA_TICKET = 'urn:ietf:params:oauth:grant-type:uma-ticket';

const DecisionAnswer = Type.Object({ result: Type.Boolean() });
const Permissions = Type.Array(
  Type.Object({ rsname: Type.Optional(Type.String()), scopes: Type.Optional(Type.Array(Type.String())) }),
);

export function createUma({ authServers, log }: { authServers: Pick<AuthServers, 'of'>; log: Logger }): Uma {
  const isDue = createAtMostEvery(TELL_EVERY_MS);
  const isUnknownDue = createAtMostEvery(TELL_UNKNOWN_EVERY_MS);

  async function askFor(
    token: VerifiedToken,
    scope: Scope,
    resources: readonly string[],
  ): Promise<UmaAnswer[] | Unanswered> {
    const permissions = resources.map((resource) => `${resource}#${scope}`);
    if (resources.length === 1) {
      const answer = await ask(token, 'decision', permissions, DecisionAnswer);
      if (answer.kind === 'ok') return [answer.value.result];
      const why = denialOf(answer);
      if (why === 'unknown') tellUnknown(resources[0]!, scope, token);
      return why === undefined ? unanswered(answer, token) : [why === 'unknown' ? 'unknown' : false];
    }
    const answer = await ask(token, 'permissions', permissions, Permissions);
    if (answer.kind === 'ok') {
      const named = namesOf(answer.value, scope);
      return resources.map((resource) => named.has(resource));
    }
    const why = denialOf(answer);
    if (why === undefined) return unanswered(answer, token);
    if (why === 'denied') return resources.map(() => false);
    // Keycloak passes over what it does not know among others; of a server that does not, the others are found by halves
    const half = Math.ceil(resources.length / 2);
    const parts = await Promise.all([
      askFor(token, scope, resources.slice(0, half)),
      askFor(token, scope, resources.slice(half)),
    ]);
    const all: UmaAnswer[] = [];
    for (const part of parts) {
      if (!Array.isArray(part)) return part;
      all.push(...part);
    }
    return all;
  }

  /** Of endpoints it is usual that they are gone; an application without its resource is refused to everybody, for good. */
  function tellUnknown(resource: string, scope: Scope, { tenant }: VerifiedToken): void {
    if (!resource.startsWith(OF_APPLICATIONS) || !isUnknownDue()) return;
    log.warn(
      { tenant: tenant.name, resource, scope },
      `the auth server has no resource ${resource}, or the resource has no scope ${scope}, so everybody is refused it: make it at the client ${tenant.clientId}, of the type "application", with the scopes that docs/security.md names (kcadm.sh commands are there)`,
    );
  }

  async function list(
    token: VerifiedToken,
    scope: Scope,
    limit: number,
  ): Promise<ReadonlySet<string> | Unanswered> {
    const more: [string, string][] = [['response_permissions_limit', String(limit + 1)]];
    const answer = await ask(token, 'permissions', [`#${scope}`], Permissions, more);
    if (answer.kind === 'ok') return namesOf(answer.value, scope);
    return denialOf(answer) === undefined ? unanswered(answer, token) : new Set();
  }

  function ask<T extends typeof DecisionAnswer | typeof Permissions>(
    token: VerifiedToken,
    mode: 'decision' | 'permissions',
    permissions: readonly string[],
    answer: T,
    more: readonly [string, string][] = [],
  ) {
    return authServers.of(token.tenant).ask('token', {
      method: 'POST',
      form: [
        ['grant_type', UMA_TICKET],
        ['audience', token.tenant.clientId],
        ['response_mode', mode],
        ...permissions.map((permission): [string, string] => ['permission', permission]),
        ...more,
      ],
      authorization: `Bearer ${token.token}`,
      answer,
      idempotent: true,
      wantsRefusal: true,
    });
  }

  /** Nobody knows: never a grant. */
  function unanswered(
    answer: Exclude<PeerAnswer<unknown>, { kind: 'ok' }>,
    { tenant }: VerifiedToken,
  ): Unanswered {
    if (answer.kind === 'refused' && isOfTheToken(answer))
      return challengeOf(tenant.name, 'The auth server takes this token no more.');
    if (answer.kind !== 'unavailable' && isDue())
      log.error(
        { found: answer.message },
        'the auth server does not decide: see kaa.tenants.<tenant>.client-id, and whether authorization is enabled for that client',
      );
    return retry('auth-server-unavailable', 'The auth server did not say whether the caller may do this.');
  }

  return { ask: askFor, list };
}

/** Denied, or no such resource or scope there; undefined: it has decided nothing. */
function denialOf(answer: Exclude<PeerAnswer<unknown>, { kind: 'ok' }>): 'denied' | 'unknown' | undefined {
  if (answer.kind !== 'refused') return undefined;
  const error = errorOf(answer);
  if (answer.status === 403) return error === undefined || error === 'access_denied' ? 'denied' : undefined;
  return answer.status === 400 && (error === 'invalid_resource' || error === 'invalid_scope')
    ? 'unknown'
    : undefined;
}

/** Its session has ended, it was revoked, or its user is no more. */
function isOfTheToken(answer: { status: number; json?: JsonValue }): boolean {
  const error = errorOf(answer);
  return (
    (answer.status === 401 || answer.status === 400) &&
    (error === 'invalid_grant' || error === 'invalid_token')
  );
}

function errorOf({ json }: { json?: JsonValue }): string | undefined {
  const error = json !== undefined && isJsonObject(json) ? json['error'] : undefined;
  return typeof error === 'string' ? error : undefined;
}

function namesOf(
  permissions: readonly { rsname?: string; scopes?: string[] }[],
  scope: Scope,
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { rsname, scopes } of permissions)
    if (rsname !== undefined && scopes?.includes(scope) === true) names.add(rsname);
  return names;
}
