import type { JsonValue } from '../model/json.js';
import type { Tenant } from './tenants.js';
import type { TokenParts } from './token-form.js';
import type { TokenPermission, VerifiedToken } from './verified-token.js';

/** What clocks may differ by. */
export const LEEWAY_MS = 30_000;

/** Asymmetric ones only (RFC 8725, 3.1): with `HS256` a public key would do as the secret. */
export const ALGORITHMS: ReadonlySet<string> = new Set([
  ...['RS', 'PS', 'ES'].flatMap((family) => ['256', '384', '512'].map((bits) => family + bits)),
  'EdDSA',
]);

/** What the header of an access token may say that it is, in lower case (RFC 9068; RFC 8725, 3.11). */
const HEADER_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt', 'application/jwt']);
/** What Keycloak's own claim `typ` may say; ID, Refresh, Offline, Logout and others are for somebody else. */
const CLAIM_TYPE = 'bearer';
/** Only ID tokens (OpenID Connect Core 1.0, 3.3.2.11) and logout tokens (Back-Channel Logout 1.0, 2.4) have them. */
const OF_OTHER_TOKENS = ['at_hash', 'c_hash', 's_hash', 'events'];
const MAX_SUBJECT = 255;
const MAX_ISSUER = 2048;
const MAX_KEY_ID = 512;

/** Why a token is refused: a word for metrics, and what its bearer is told. Neither has anything of the token in it. */
export const TOKEN_FAULTS = {
  malformed: 'The token is malformed.',
  algorithm: 'The token is not signed as it must be.',
  type: 'This is not an access token.',
  bound: 'The token is bound to a key of its owner, which can not be checked here.',
  issuer: 'The token is not of a known issuer.',
  audience: 'The token is not meant for this service.',
  'not-yet': 'The token is not valid yet.',
  expired: 'The token has expired.',
  'no-expiry': 'The token says not when it expires.',
  'no-subject': 'The token says not whose it is.',
  signature: 'The signature of the token can not be verified.',
} as const;
export type TokenFault = keyof typeof TOKEN_FAULTS;

/** What is needed to find the key. */
export interface TokenHead {
  algorithm: string;
  keyId: string | undefined;
  issuer: string;
}

/** What can be said before the signature is looked at. */
export function readHead({ header, claims }: TokenParts): TokenHead | TokenFault {
  const { alg, kid, typ, crit, b64 } = header;
  if (typeof alg !== 'string' || !ALGORITHMS.has(alg)) return 'algorithm';
  // none is understood (RFC 7515, 4.1.11)
  if (crit !== undefined || b64 !== undefined) return 'malformed';
  if (typ !== undefined && !(typeof typ === 'string' && HEADER_TYPES.has(typ.toLowerCase()))) return 'type';
  if (kid !== undefined && !(typeof kid === 'string' && kid.length <= MAX_KEY_ID)) return 'malformed';
  const { iss } = claims;
  if (typeof iss !== 'string' || iss.length > MAX_ISSUER) return 'issuer';
  return { algorithm: alg, keyId: kid, issuer: iss };
}

/**
 * What the claims come to, of a token whose signature is that of the tenant's issuer.
 *
 * @param nowMs - Unix ms
 * @param audience - what `aud` must hold (RFC 8725, 3.9); undefined: anything will do
 */
export function readClaims(
  claims: TokenParts['claims'],
  tenant: Tenant,
  token: string,
  nowMs: number,
  audience?: string,
): VerifiedToken | TokenFault {
  const { typ, exp, nbf, iat, sub, cnf } = claims;
  if (typ !== undefined && !(typeof typ === 'string' && typ.toLowerCase() === CLAIM_TYPE)) return 'type';
  if (OF_OTHER_TOKENS.some((name) => Object.hasOwn(claims, name))) return 'type';
  if (cnf !== undefined) return 'bound';
  if (audience !== undefined && !isFor(claims['aud'], audience)) return 'audience';
  if (exp === undefined) return 'no-expiry';
  if (typeof exp !== 'number' || !isTimeOrAbsent(nbf) || !isTimeOrAbsent(iat)) return 'malformed';
  const expiresMs = exp * 1000 + LEEWAY_MS;
  if (expiresMs <= nowMs) return 'expired';
  const latest = (nowMs + LEEWAY_MS) / 1000;
  if ((nbf ?? 0) > latest || (iat ?? 0) > latest) return 'not-yet';
  if (sub === undefined) return 'no-subject';
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT) return 'malformed';
  return {
    tenant,
    subject: sub,
    realmRoles: new Set(textsOf(memberOf(claims['realm_access'], 'roles'))),
    permissions: isFor(claims['aud'], tenant.clientId) ? permissionsOf(claims['authorization']) : [],
    expiresMs,
    token,
  };
}

function isTimeOrAbsent(value: JsonValue | undefined): value is number | undefined {
  return value === undefined || typeof value === 'number';
}

function isFor(audience: JsonValue | undefined, name: string): boolean {
  return audience === name || (Array.isArray(audience) && audience.includes(name));
}

function permissionsOf(authorization: JsonValue | undefined): TokenPermission[] {
  const permissions = memberOf(authorization, 'permissions');
  if (!Array.isArray(permissions)) return [];
  return permissions.flatMap((permission) => {
    const resource = memberOf(permission, 'rsname');
    return typeof resource === 'string'
      ? [{ resource, scopes: textsOf(memberOf(permission, 'scopes')) }]
      : [];
  });
}

function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? (value as Record<string, JsonValue>)[name] : undefined;
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
