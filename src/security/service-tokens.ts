import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import type { PeerAnswer, Unavailable } from '../peers/index.js';
import type { AuthServerEndpoint, AuthServerRequest, AuthServers } from './auth-server.js';
import type { Tenant } from './tenants.js';

/** What this service asks in its own name (UMA: its protection API token), of each tenant's auth server. */
export interface ServiceTokens {
  /** At once where there is one that lasts. Rejects with an error that says why there is none. */
  of(tenant: Tenant): Promise<string>;
  /** Another one is got at the next call: somebody has refused this one. */
  refused(tenant: Tenant, token: string): void;
  /** By tenant: why its auth server refuses the client of this service, until it takes it again. */
  refusals(): ReadonlyMap<string, string>;
  /** Forgets those of tenants that are no more. */
  keepOnly(tenants: readonly Tenant[]): void;
  /** Asks an auth server with such a token; one that is refused (401, 403) is renewed once. Never rejects. */
  ask<T extends TSchema>(
    tenant: Tenant,
    endpoint: AuthServerEndpoint,
    request: AuthServerRequest<T>,
  ): Promise<PeerAnswer<Static<T>>>;
}

export interface ServiceTokensDeps {
  authServers: Pick<AuthServers, 'of'>;
  /** told of clients that are refused, and are taken again */
  log?: Pick<Logger, 'info' | 'warn'>;
  now?: () => number;
}

/** A token is renewed this long before it expires, or when a fifth of its time is left: what is under way is to arrive in time. */
const RENEWED_BEFORE_MS = 30_000;
const RENEWED_SHARE = 0.2;
/** Keycloak's protection API answers 403 to a token that it can't verify. */
const REFUSED = new Set([401, 403]);
/** of a token whose answer says nothing of it (RFC 6749, 5.1) */
const LASTS_S = 60;

const TokenAnswer = Type.Object({
  access_token: Type.String({ minLength: 1 }),
  expires_in: Type.Optional(Type.Number({ minimum: 0 })),
});

interface Held {
  of: Tenant;
  token: Promise<string>;
  /** Unix ms; infinite while it is asked for */
  renewAtMs: number;
}

/** By client credentials (RFC 6749, 4.4), one question at a time for each tenant. */
export function createServiceTokens({ authServers, log, now = Date.now }: ServiceTokensDeps): ServiceTokens {
  const held = new Map<string, Held>();
  const refusals = new Map<string, string>();

  /** That does not pass by itself, as an auth server that is away does. */
  function noteRefusal({ name, clientId }: Tenant, message: string): void {
    const isNew = !refusals.has(name);
    refusals.set(name, message);
    if (isNew)
      log?.warn(
        { tenant: name, clientId, found: message },
        `the auth server refuses the client ${clientId} of the tenant ${name}, so nothing can be asked in the name of this service: set kaa.tenants.${name}.client-id and client-secret (or what the tenant manager has) to those of a confidential client with a service account`,
      );
  }

  function noteTaken({ name, clientId }: Tenant): void {
    if (refusals.delete(name))
      log?.info({ tenant: name, clientId }, 'the auth server takes the client of this service again');
  }

  async function get(tenant: Tenant, entry: Held): Promise<string> {
    try {
      const { clientId, clientSecret } = tenant;
      if (clientSecret === undefined)
        throw new Error(
          `the tenant ${tenant.name} has no client secret: set kaa.tenants.${tenant.name}.client-secret, or give it one at the tenant manager`,
        );
      const pair = [clientId, clientSecret].map(encodeURIComponent).join(':');
      const answer = await authServers.of(tenant).ask('token', {
        method: 'POST',
        form: [['grant_type', 'client_credentials']],
        authorization: `Basic ${Buffer.from(pair).toString('base64')}`,
        answer: TokenAnswer,
        // one more token harms nobody
        idempotent: true,
      });
      if (answer.kind === 'refused') noteRefusal(tenant, answer.message);
      if (answer.kind !== 'ok')
        throw new Error(`client credentials of ${tenant.name}: ${answer.message}`, { cause: answer });
      noteTaken(tenant);
      const { access_token: token, expires_in: lastsS = LASTS_S } = answer.value;
      const lastsMs = lastsS * 1000;
      entry.renewAtMs = now() + lastsMs - Math.min(RENEWED_BEFORE_MS, lastsMs * RENEWED_SHARE);
      return token;
    } catch (error) {
      if (held.get(tenant.name) === entry) held.delete(tenant.name);
      throw error;
    }
  }

  const of: ServiceTokens['of'] = (tenant) => {
    const known = held.get(tenant.name);
    if (known !== undefined && known.of === tenant && now() < known.renewAtMs) return known.token;
    const entry: Held = { of: tenant, token: Promise.resolve(''), renewAtMs: Infinity };
    held.set(tenant.name, entry);
    entry.token = get(tenant, entry);
    return entry.token;
  };

  const refused: ServiceTokens['refused'] = (tenant, token) => {
    const known = held.get(tenant.name);
    if (known === undefined) return;
    void known.token.then(
      (current) => {
        if (current === token && held.get(tenant.name) === known) held.delete(tenant.name);
      },
      () => undefined,
    );
  };

  return {
    of,
    refused,
    refusals: () => refusals,
    keepOnly(tenants) {
      const names = new Set(tenants.map(({ name }) => name));
      for (const kept of [held, refusals])
        for (const name of [...kept.keys()]) if (!names.has(name)) kept.delete(name);
    },
    async ask(tenant, endpoint, request) {
      for (let renewed = false; ; renewed = true) {
        let token: string;
        try {
          token = await of(tenant);
        } catch (error) {
          return untold(error as Error);
        }
        const answer = await authServers
          .of(tenant)
          .ask(endpoint, { ...request, authorization: `Bearer ${token}` });
        if (answer.kind !== 'refused' || !REFUSED.has(answer.status)) return answer;
        if (held.get(tenant.name) !== undefined && (await of(tenant).catch(() => '')) === token)
          held.delete(tenant.name);
        if (renewed) return answer;
      }
    },
  };
}

/** Who gives the tokens is away, which passes; or gives none. */
function untold({ message, cause }: Error): Unavailable {
  const answer = cause as PeerAnswer<unknown> | undefined;
  return answer?.kind === 'unavailable'
    ? { ...answer, message, mayBeDone: false }
    : { kind: 'unavailable', cause: 'no-token', message, mayBeDone: false };
}
