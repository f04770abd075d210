import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { serveParent } from '../children.js';

/** What a token is to say, beside whose it is. */
export interface TokenWish {
  subject: string;
  roles?: string[];
  /** of an RPT: endpoints that may be read */
  endpointIds?: string[];
}

/**
 * Stands in for the auth server as far as it is asked: keys of the size that Keycloak has, tokens of its form, and a grant of
 * whatever is asked for.
 */
const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' };
let decisions = 0;
const server = createServer((request, response) => {
  const { url = '' } = request;
  request.resume();
  request.on('end', () => {
    const answer = (value: unknown): void => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (url.endsWith('/certs')) return answer({ keys: [jwk] });
    if (url.endsWith('/token')) {
      decisions++;
      return answer({ result: true });
    }
    answer({ issuer, jwks_uri: `${issuer}/certs`, token_endpoint: `${issuer}/token` });
  });
});
server.keepAliveTimeout = 60_000;
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/realms/bench`;

function sign({ subject, roles = [], endpointIds = [] }: TokenWish): Promise<string> {
  const permissions = endpointIds.map((id, i) => ({
    scopes: ['endpoint:read'],
    rsid: `6a0f2c1e-5d7b-4c33-9a54-${String(i).padStart(12, '0')}`,
    rsname: `endpoint-${id}`,
  }));
  const claims = {
    jti: `trrtna:0a5ee1f5-3a8a-4b5e-8a4b-${subject.padStart(12, '0')}`,
    typ: 'Bearer',
    azp: 'epr-console',
    sid: '9b2c7f0e-7b34-4cf5-a8f4-1d2f2b9c0d11',
    acr: '1',
    'allowed-origins': ['http://localhost:8080'],
    realm_access: { roles: ['default-roles-bench', 'offline_access', 'uma_authorization', ...roles] },
    resource_access: { account: { roles: ['manage-account', 'manage-account-links', 'view-profile'] } },
    scope: 'email profile',
    email_verified: true,
    name: `Caller ${subject}`,
    preferred_username: `caller-${subject}`,
    ...(permissions.length === 0 ? {} : { authorization: { permissions } }),
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: jwk.kid })
    .setIssuer(issuer)
    .setSubject(subject)
    .setAudience(['epr', 'account'])
    .setIssuedAt()
    .setExpirationTime('10h')
    .sign(privateKey);
}

serveParent(
  { issuer },
  {
    sign: (wishes: TokenWish[]) => Promise.all(wishes.map(sign)),
    decisions: async () => decisions,
  },
);
