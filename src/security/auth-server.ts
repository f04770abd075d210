import { randomUUID } from 'node:crypto';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { PeerAnswer, PeerClient, PeerOptions, PeerRequest, PeerStatus } from '../peers/index.js';
import { RESOURCES_AT_ONCE } from './resource-slots.js';
import type { Tenant } from './tenants.js';

/** What of an auth server is asked: its key set, its token endpoint, its UMA resource registration. */
export type AuthServerEndpoint = 'keys' | 'token' | 'resources';

export type AuthServerRequest<T extends TSchema> = Omit<PeerRequest<T>, 'path' | 'correlationId'> & {
  /** below the endpoint */
  path?: readonly string[];
  /** absent: nobody asked for it */
  correlationId?: string;
};

/** The auth server of one tenant. */
export interface AuthServer {
  /**
   * Asks one of its endpoints; where they are is asked first, once. Never rejects. An endpoint that its discovery does not
   * name is `refused` with 404.
   */
  ask<T extends TSchema>(
    endpoint: AuthServerEndpoint,
    request: AuthServerRequest<T>,
  ): Promise<PeerAnswer<Static<T>>>;
  status(): PeerStatus;
  close(): Promise<void>;
}

/** What an auth server is known by here; others of the tenant's settings do not matter to it. */
export type AuthServerOf = Pick<Tenant, 'name' | 'issuer' | 'authServerUrl' | 'ownOriginOnly'>;

export interface AuthServerDeps {
  /** makes a client of a peer; see `createPeerClient` */
  connect: (options: PeerOptions) => PeerClient;
}

/** The key set and the discovery have connections of their own: questions about rights never make tokens wait. */
const KEYS_LIMITS: PeerOptions['limits'] = {
  connections: 2,
  attemptMs: 3_000,
  callMs: 6_000,
  maxAnswerBytes: 1024 * 1024,
};
/** A caller waits for what is asked there. */
const CALLS_LIMITS: PeerOptions['limits'] = {
  connections: 32,
  attemptMs: 4_000,
  callMs: 10_000,
  maxAnswerBytes: 8 * 1024 * 1024,
};
/**
 * Making a resource takes a server many times as long as a decision, and a batch makes thousands. An attempt that is given
 * up is done over there all the same, so it is waited for.
 */
const RESOURCES_LIMITS: PeerOptions['limits'] = {
  connections: RESOURCES_AT_ONCE.singles + RESOURCES_AT_ONCE.background,
  attemptMs: 15_000,
  callMs: 20_000,
  maxAnswerBytes: 1024 * 1024,
};

/** Each with connections, limits and a circuit of its own: what one of them waits for, or fails at, is not the others'. */
const LIMITS = { keys: KEYS_LIMITS, calls: CALLS_LIMITS, resources: RESOURCES_LIMITS } as const;
type Line = keyof typeof LIMITS;
const LINE_OF: Record<AuthServerEndpoint, Line> = { keys: 'keys', token: 'calls', resources: 'resources' };

const OpenIdConfiguration = Type.Object({
  issuer: Type.String(),
  jwks_uri: Type.String(),
  token_endpoint: Type.Optional(Type.String()),
});
const UmaConfiguration = Type.Object({
  issuer: Type.String(),
  resource_registration_endpoint: Type.String(),
});

type Found = Partial<Record<AuthServerEndpoint, URL>>;

/**
 * Where an auth server has its endpoints it says itself: at `.well-known/openid-configuration` and, for resources,
 * `.well-known/uma2-configuration`, below the address by which this service reaches it. It names them by its public
 * address, or by that by which it was asked (Keycloak: `hostname-backchannel-dynamic`); what is below the issuer is asked
 * below that address.
 */
export function createAuthServer(of: AuthServerOf, { connect }: AuthServerDeps): AuthServer {
  const ownUrl = withoutSlash(of.authServerUrl);
  const allowed =
    of.ownOriginOnly === true
      ? new Set([of.issuer, of.authServerUrl].map((url) => new URL(url).origin))
      : undefined;
  const clients = new Map<string, PeerClient>();
  const found: Found = {};
  const asking = new Map<string, Promise<PeerAnswer<unknown>>>();

  const clientAt = (origin: string, line: Line): PeerClient => {
    const key = `${line} ${origin}`;
    let client = clients.get(key);
    if (client === undefined) {
      client = connect({
        name: `auth-server/${of.name}/${line}`,
        // tenants may be thousands, and come and go
        metricName: `auth-server/${line}`,
        url: origin,
        hasSecrets: true,
        limits: LIMITS[line],
      });
      clients.set(key, client);
    }
    return client;
  };

  function send<T extends TSchema>(
    at: URL,
    line: Line,
    { path = [], correlationId = randomUUID(), ...request }: AuthServerRequest<T>,
  ): Promise<PeerAnswer<Static<T>>> {
    const base = segmentsOf(at);
    if (base === undefined)
      return Promise.resolve({
        kind: 'malformed',
        status: 200,
        message: `no address can be ${at.href.slice(0, 200)}`,
      });
    const segments = [...base, ...path];
    return clientAt(at.origin, line).call({ ...request, correlationId, path: segments });
  }

  /** `undefined`: what the document names is in `found` now. */
  async function discover<T extends TSchema & { static: { issuer: string } }>(
    document: string,
    line: Line,
    schema: T,
    take: (named: Static<T>) => Found | string,
  ): Promise<PeerAnswer<never> | undefined> {
    let answer = asking.get(document);
    if (answer === undefined) {
      answer = send(new URL(`${ownUrl}/.well-known/${document}`), line, { method: 'GET', answer: schema });
      asking.set(document, answer);
      void answer.then(() => asking.delete(document));
    }
    const said = await answer;
    if (said.kind !== 'ok') return said;
    const named = said.value as Static<T>;
    const malformed = (message: string): PeerAnswer<never> => ({ kind: 'malformed', status: 200, message });
    // OpenID Connect Discovery 1.0, 4.3: else somebody else's keys would be taken for those of this issuer
    if (named.issuer !== of.issuer && withoutSlash(named.issuer) !== ownUrl) {
      const who = JSON.stringify(named.issuer.slice(0, 200));
      return malformed(`${document} is of the issuer ${who}, not of ${of.issuer} nor of ${ownUrl}`);
    }
    const taken = take(named);
    if (typeof taken === 'string') return malformed(taken);
    Object.assign(found, taken);
    return undefined;
  }

  /** The address by which this service reaches what the auth server names; in words why it can't be one. */
  function reach(name: string, url: string): URL | string {
    const issuer = withoutSlash(of.issuer);
    const own = url.startsWith(`${issuer}/`) ? ownUrl + url.slice(issuer.length) : url;
    if (!/^https?:\/\/[^\s?#@]+$/.test(own) || !URL.canParse(own))
      return `${name} is no address: ${JSON.stringify(url.slice(0, 200))}`;
    const at = new URL(own);
    // an auth server must not choose who else is asked, in the network that this service is in
    if (allowed?.has(at.origin) === false)
      return `${name} is of another server than the issuer: ${JSON.stringify(url.slice(0, 200))}`;
    return at;
  }

  const takeOpenId = (named: Static<typeof OpenIdConfiguration>): Found | string => {
    const keys = reach('jwks_uri', named.jwks_uri);
    if (typeof keys === 'string') return keys;
    if (named.token_endpoint === undefined) return { keys };
    const token = reach('token_endpoint', named.token_endpoint);
    return typeof token === 'string' ? token : { keys, token };
  };
  const takeUma = (named: Static<typeof UmaConfiguration>): Found | string => {
    const resources = reach('resource_registration_endpoint', named.resource_registration_endpoint);
    return typeof resources === 'string' ? resources : { resources };
  };

  return {
    async ask(endpoint, request) {
      let at = found[endpoint];
      if (at === undefined) {
        const fault =
          endpoint === 'resources'
            ? await discover('uma2-configuration', 'resources', UmaConfiguration, takeUma)
            : await discover('openid-configuration', 'keys', OpenIdConfiguration, takeOpenId);
        if (fault !== undefined) return fault;
        at = found[endpoint];
      }
      if (at === undefined)
        return { kind: 'refused', status: 404, message: `its discovery names no endpoint for: ${endpoint}` };
      const answer = await send(at, LINE_OF[endpoint], request);
      // it may have moved
      if (answer.kind === 'refused' && answer.status === 404 && (request.path ?? []).length === 0)
        delete found[endpoint];
      return answer;
    },
    status() {
      const states = [...clients.values()].map((client) => client.status());
      return (
        states.find(({ circuit }) => circuit !== 'closed') ??
        states.find(({ error }) => error !== undefined) ?? { circuit: 'closed' }
      );
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}

/** The auth servers of all tenants. */
export interface AuthServers {
  /** The same one for as long as issuer and address are the same. */
  of(tenant: AuthServerOf): AuthServer;
  /** Forgets those of tenants that are no more. */
  keepOnly(tenants: readonly AuthServerOf[]): void;
  close(): Promise<void>;
}

export function createAuthServers(deps: AuthServerDeps): AuthServers {
  const servers = new Map<string, { of: AuthServerOf; server: AuthServer }>();
  const forget = (name: string): void => {
    void servers.get(name)?.server.close();
    servers.delete(name);
  };
  const isSame = (a: AuthServerOf, b: AuthServerOf): boolean =>
    a.issuer === b.issuer && a.authServerUrl === b.authServerUrl;
  return {
    of(tenant) {
      const known = servers.get(tenant.name);
      if (known !== undefined && isSame(known.of, tenant)) return known.server;
      forget(tenant.name);
      const { name, issuer, authServerUrl, ownOriginOnly } = tenant;
      const of = { name, issuer, authServerUrl, ...(ownOriginOnly === undefined ? {} : { ownOriginOnly }) };
      const server = createAuthServer(of, deps);
      servers.set(name, { of, server });
      return server;
    },
    keepOnly(tenants) {
      const names = new Set(tenants.map(({ name }) => name));
      for (const name of [...servers.keys()]) if (!names.has(name)) forget(name);
    },
    async close() {
      await Promise.all([...servers.values()].map(({ server }) => server.close()));
    },
  };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}

/** Undefined: what is encoded in its path is no text. */
function segmentsOf(url: URL): string[] | undefined {
  try {
    return url.pathname
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}
