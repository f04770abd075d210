import { createHmac, randomInt } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 20;

/** Endpoint tokens, which are stored as keyed hashes only. */
export interface Tokens {
  /** 20 characters out of 62: 119 bits from the system's generator. */
  make(): string;
  /** The same form, the same for the same request id, and known to nobody without the key. */
  makeFor(requestId: string): string;
  /** HMAC-SHA-256 of the application and the token, hexadecimal. */
  hash(application: string, token: string): string;
}

/** `key`: the installation's secret, at least 32 bytes. */
export function createTokens(key: Uint8Array): Tokens {
  return {
    make: () => Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''),
    makeFor: (requestId) =>
      Array.from(
        createHmac('sha512', key)
          .update(`made\0${requestId}`)
          .digest()
          .subarray(0, LENGTH * 2),
      )
        // two bytes a character: what the remainder prefers is less than 0.1 %
        .reduce<string[]>((letters, byte, i, bytes) => {
          if (i % 2 === 1) letters.push(ALPHABET[(bytes[i - 1]! * 256 + byte) % ALPHABET.length]!);
          return letters;
        }, [])
        .join(''),
    hash: (application, token) => createHmac('sha256', key).update(`${application}\0${token}`).digest('hex'),
  };
}
