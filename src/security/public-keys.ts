import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { JsonValue } from '../model/json.js';

/** One key that an issuer signs with. */
export interface PublicKey {
  readonly keyId: string | undefined;
  /** of the key alone; equal texts are equal keys */
  readonly text: string;
  /** whether a signature by this algorithm may be of this key */
  fits(algorithm: string): boolean;
  /** for an algorithm that fits; rejects when it is no key after all */
  forAlgorithm(algorithm: string): Promise<CryptoKey>;
}

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
/** NIST SP 800-131A; as base64url */
const LEAST_MODULUS = Math.floor((2048 / 8) * (4 / 3));
/** What is larger takes long to verify with, and is nobody's. */
const MOST_MODULUS = Math.ceil((16384 / 8) * (4 / 3));
const MOST_EXPONENT = 11;
const MAX_KEYS = 100;

/**
 * The keys of a key set (RFC 7517) that can vouch for tokens; others, such as those for encryption, are passed over.
 * Only public members are looked at: what a set says beside them (`x5u`, `x5c`, a secret) does not matter here.
 */
export function publicKeysOf(keys: readonly JsonValue[]): PublicKey[] {
  return keys.slice(0, MAX_KEYS).flatMap((key) => {
    if (typeof key !== 'object' || key === null || Array.isArray(key)) return [];
    const made = publicKey(key);
    return made === undefined ? [] : [made];
  });
}

function publicKey(jwk: Record<string, JsonValue>): PublicKey | undefined {
  const { kty, kid, alg, use, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;
  const members = membersOf(jwk);
  if (members === undefined) return undefined;
  const ofFamily = (algorithm: string): boolean => {
    if (kty === 'RSA') return /^[RP]S/.test(algorithm);
    return kty === 'EC' ? CURVES[algorithm] === jwk['crv'] : algorithm === 'EdDSA';
  };
  const imported = new Map<string, Promise<CryptoKey>>();
  return {
    keyId: kid,
    text: JSON.stringify([kid ?? null, alg ?? null, members]),
    fits: (algorithm) => (alg === undefined || alg === algorithm) && ofFamily(algorithm),
    forAlgorithm(algorithm) {
      let key = imported.get(algorithm);
      if (key === undefined) {
        key = importJWK(members, algorithm) as Promise<CryptoKey>;
        imported.set(algorithm, key);
      }
      return key;
    },
  };
}

function membersOf({ kty, n, e, crv, x, y }: Record<string, JsonValue>): JWK | undefined {
  const are = (...values: (JsonValue | undefined)[]) => values.every((value) => typeof value === 'string');
  if (kty === 'RSA' && are(n, e)) {
    const [modulus, exponent] = [(n as string).length, (e as string).length];
    const isUsual = modulus >= LEAST_MODULUS && modulus <= MOST_MODULUS && exponent <= MOST_EXPONENT;
    return isUsual ? ({ kty, n, e } as JWK) : undefined;
  }
  if (kty === 'EC' && are(crv, x, y)) return { kty, crv, x, y } as JWK;
  if (kty === 'OKP' && crv === 'Ed25519' && are(x)) return { kty, crv, x } as JWK;
  return undefined;
}
