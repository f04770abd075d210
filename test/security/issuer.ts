import { createHmac } from 'node:crypto';
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { createPeerClient, createPeerMetrics } from '../../src/peers/index.js';
import {
  authenticatedAccess,
  createAuthenticator,
  createAuthServers,
  createConfiguredTenants,
  createDecisionMetrics,
  createDecisions,
  createSecurityMetrics,
  createTokenVerifier,
  createUma,
  type KeySetTimes,
  type RoleGrants,
} from '../../src/security/index.js';
import { answer, type Behaviour, type PeerServer, startPeerServer } from '../peers/support.js';

export interface SigningKey {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: JWK;
  alg: string;
}

export async function makeKey(alg: string, kid: string | undefined, more: object = {}): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), use: 'sig', ...(kid === undefined ? {} : { kid }), ...more };
  return { privateKey, publicKey, jwk, alg };
}

export interface Issuer {
  url: string;
  server: PeerServer;
  /** the keys that its key set has, from now on */
  publish(...keys: SigningKey[]): void;
  /** how the key set is answered, from now on; absent: with its keys */
  behave: (behaviour?: Behaviour) => void;
  /** how questions about rights are answered, from now on */
  decide: (behaviour: Behaviour) => void;
  /** how resources are answered, from now on; none are kept until then */
  keep: (behaviour: Behaviour) => void;
  /** how often the key set was asked for */
  readings(): number;
  key: SigningKey;
  /** claims of a good access token, changed */
  claims(change?: Record<string, unknown>): Record<string, unknown>;
  /** signed by {@link key} unless another is given; a header member that is undefined is left out */
  token(
    change?: Record<string, unknown>,
    options?: { key?: SigningKey; header?: Record<string, unknown> },
  ): Promise<string>;
  /** as {@link token}, of the claims as this text */
  sign(
    claims: string | Uint8Array,
    options?: { key?: SigningKey; header?: Record<string, unknown> },
  ): Promise<string>;
}

/** A real HTTP server that is an OpenID provider as far as resource servers ask. */
export async function startIssuer(t: Test, realm = 'acme', alg = 'ES256'): Promise<Issuer> {
  const key = await makeKey(alg, `${realm}-1`);
  let published = [key];
  let behaviour: Behaviour | undefined;
  let decides = answer(403, { error: 'access_denied' });
  let keeps = answer(404, {});
  /** tokens by client credentials */
  let given = 0;
  const server = await startPeerServer(t, (response, asked) => {
    const url = `${server.url}/realms/${realm}`;
    if (asked.url.endsWith('/certs')) {
      const keys = published.map(({ jwk }) => jwk);
      return (behaviour ?? answer(200, { keys }))(response, asked);
    }
    if (asked.url.endsWith('/.well-known/openid-configuration')) {
      const found = { issuer: url, jwks_uri: `${url}/certs`, token_endpoint: `${url}/token` };
      return answer(200, found)(response, asked);
    }
    if (asked.url.endsWith('/.well-known/uma2-configuration'))
      return answer(200, { issuer: url, resource_registration_endpoint: `${url}/resources` })(
        response,
        asked,
      );
    if (asked.url.startsWith(`/realms/${realm}/resources`)) return keeps(response, asked);
    if (asked.url.endsWith('/token') && asked.headers.authorization?.startsWith('Basic ') === true) {
      const [clientId] = Buffer.from(asked.headers.authorization.slice(6), 'base64').toString().split(':');
      const lasts = { expires_in: 300, token_type: 'Bearer' };
      return answer(200, { access_token: `of-${clientId}-${++given}`, ...lasts })(response, asked);
    }
    // what it has not put into a token it does not grant, unless it is told to
    if (asked.url.endsWith('/token')) return decides(response, asked);
    return answer(404, {})(response, asked);
  });
  const url = `${server.url}/realms/${realm}`;
  const seconds = () => Math.floor(Date.now() / 1000);
  const issuer: Issuer = {
    url,
    server,
    key,
    publish: (...keys) => void (published = keys),
    behave: (next) => void (behaviour = next),
    decide: (next) => void (decides = next),
    keep: (next) => void (keeps = next),
    readings: () => server.asked.filter((asked) => asked.url.endsWith('/certs')).length,
    claims: (change = {}) => ({
      iss: url,
      sub: 'alice',
      aud: ['account'],
      typ: 'Bearer',
      iat: seconds(),
      exp: seconds() + 300,
      realm_access: { roles: ['reader'] },
      ...change,
    }),
    token: (change, options) => issuer.sign(JSON.stringify(issuer.claims(change)), options),
    async sign(claims, { key: by = key, header = {} } = {}) {
      const bytes = typeof claims === 'string' ? new TextEncoder().encode(claims) : claims;
      const head = { alg: by.alg, typ: 'JWT', kid: by.jwk.kid, ...header };
      return new CompactSign(bytes)
        .setProtectedHeader(JSON.parse(JSON.stringify(head)) as { alg: string })
        .sign(by.privateKey);
    },
  };
  return issuer;
}

/** A token whose header and signature are put together by hand. */
export function forge(
  header: object | string,
  claims: object | string,
  signature: string | Uint8Array,
): string {
  const part = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const signed = typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url');
  return `${part(header)}.${part(claims)}.${signed}`;
}

/** Signed with the public key as if it were a secret. */
export async function forgeHmac(key: SigningKey, claims: object, kid: string | undefined): Promise<string[]> {
  const secrets = [await exportSPKI(key.publicKey), JSON.stringify(key.jwk)];
  return secrets.map((secret) => {
    const unsigned = forge({ alg: 'HS256', typ: 'JWT', kid }, claims, '').slice(0, -1);
    return `${unsigned}.${createHmac('sha256', secret).update(unsigned).digest('base64url')}`;
  });
}

export interface Clock {
  nowMs: number;
  monotonicMs: number;
}

/** What stands between requests and issuers, with a clock that a test may move. */
export function makeAccess(
  t: Test,
  issuers: Readonly<Record<string, Pick<Issuer, 'url'>>>,
  options: {
    clientId?: string;
    audience?: string;
    times?: Partial<KeySetTimes>;
    clock?: Clock;
    /** authorization is on */
    roleGrants?: RoleGrants;
    cacheMs?: number;
    /** how long an auth server is waited for; absent: as the service does */
    patienceMs?: number;
  } = {},
) {
  const { patienceMs } = options;
  const registry = new Registry();
  const logged: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
  const table = Object.fromEntries(
    Object.entries(issuers).map(([name, { url }]) => [
      name,
      {
        issuer: url,
        authServerUrl: url,
        ...(options.clientId === undefined ? {} : { clientId: options.clientId }),
      },
    ]),
  );
  const tenants = createConfiguredTenants(table);
  const peerMetrics = createPeerMetrics(registry);
  const authServers = createAuthServers({
    connect: (peer) =>
      createPeerClient(
        {
          ...peer,
          limits: {
            ...peer.limits,
            attempts: 1,
            ...(patienceMs === undefined ? {} : { attemptMs: patienceMs, callMs: patienceMs }),
          },
        },
        { log: pino({ level: 'silent' }), metrics: peerMetrics },
      ),
  });
  t.teardown(() => authServers.close());
  const metrics = createSecurityMetrics(registry);
  const { clock } = options;
  const verifier = createTokenVerifier({
    tenants,
    authServers,
    log,
    metrics,
    ...(options.audience === undefined ? {} : { audience: options.audience }),
    ...(options.times === undefined ? {} : { times: options.times }),
    ...(clock === undefined ? {} : { nowMs: () => clock.nowMs, monotonicMs: () => clock.monotonicMs }),
  });
  const authenticator = createAuthenticator({ verifier, metrics });
  const { roleGrants } = options;
  const authorized = (grants: RoleGrants) =>
    authenticatedAccess(
      authenticator,
      tenants,
      createDecisions({
        uma: createUma({ authServers, log }),
        roleGrants: () => grants,
        cacheMs: options.cacheMs ?? 30_000,
        metrics: createDecisionMetrics(registry),
      }),
    );
  return {
    access: roleGrants === undefined ? authenticatedAccess(authenticator, tenants) : authorized(roleGrants),
    verifier,
    tenants,
    table,
    logged,
    /** what came of tokens, by result */
    results: async () => {
      const { values } = await metrics.tokens.get();
      return Object.fromEntries(values.map(({ labels, value }) => [labels['result'], value])) as Record<
        string,
        number
      >;
    },
  };
}
