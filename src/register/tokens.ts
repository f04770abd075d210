import { createHmac, randomInt } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const LENGTH = 20;

/** Endpoint tokens, which are stored as keyed hashes only. */
export interface Tokens {
  /** 20 characters out of 62: 119 bits from the system's generator. */
  make(): string;
  /** HMAC-SHA-256 of the application and the token, hexadecimal. */
  hash(application: string, token: string): string;
}

/** `key`: the installation's secret, at least 32 bytes. */
export function createTokens(key: Uint8Array): Tokens {
  return {
    make: () => Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join(''),
    hash: (application, token) => createHmac('sha256', key).update(`${application}\0${token}`).digest('hex'),
  };
}
