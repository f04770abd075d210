import { createHmac, randomInt } from 'node:crypto';
import type { TokenIssuer } from './token-issuer.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 20;

/**
 * Tokens that this service issues itself: 20 characters out of 62, 119 bits. Of a token only a keyed hash is stored, by
 * which the storage keeps those of an application apart.
 *
 * @param key the installation's secret, at least 32 bytes
 */
export function createOwnTokens(key: Uint8Array): TokenIssuer {
  return {
    repeatable: true,
    issue({ application, token: given, requestId }) {
      const token = given ?? (requestId === undefined ? make() : makeFor(key, requestId));
      return { kind: 'issued', token, hash: hashOf(key, application, token) };
    },
  };
}

/** From the system's generator. */
function make(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}

/** The same form, the same for the same request, and known to nobody without the key. */
function makeFor(key: Uint8Array, requestId: string): string {
  const bytes = createHmac('sha512', key).update(`made\0${requestId}`).digest();
  // two bytes a character: what the remainder prefers is less than 0.1 %
  return Array.from(
    { length: LENGTH },
    (_none, i) => ALPHABET[bytes.readUInt16BE(i * 2) % ALPHABET.length],
  ).join('');
}

function hashOf(key: Uint8Array, application: string, token: string): string {
  return createHmac('sha256', key).update(`${application}\0${token}`).digest('hex');
}
