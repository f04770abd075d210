import type { JsonValue } from '../model/json.js';
import { parseStrictJson } from '../model/strict-json.js';

/** Bytes of the longest token that is taken. */
export const MAX_TOKEN_BYTES = 16 * 1024;
const MAX_NESTING = 16;

/** The parts of a token that nobody vouches for yet. */
export interface TokenParts {
  header: Readonly<Record<string, JsonValue>>;
  claims: Readonly<Record<string, JsonValue>>;
}

/**
 * Takes a signed token (JWS compact serialization, RFC 7515) apart, more strictly than its readers do: exactly three parts, none
 * empty, each the one base64url text of its bytes (RFC 4648, 3.5), header and claims JSON objects without duplicate
 * members. So two readers can't understand it differently, and no two texts are one token. `undefined`: it is not so.
 */
export function takeApart(token: string): TokenParts | undefined {
  const parts = token.split('.', 4);
  if (parts.length !== 3) return undefined;
  const [header, claims, signature] = parts.map(decode);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  const [headerObject, claimsObject] = [objectOf(header), objectOf(claims)];
  if (headerObject === undefined || claimsObject === undefined) return undefined;
  return { header: headerObject, claims: claimsObject };
}

function decode(text: string): Buffer | undefined {
  if (text === '' || !/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  // bits that mean nothing must be zero
  return bytes.toString('base64url') === text ? bytes : undefined;
}

function objectOf(bytes: Buffer): Record<string, JsonValue> | undefined {
  const parsed = parseStrictJson(bytes, MAX_NESTING);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value))
    return undefined;
  return parsed.value;
}
