import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

/** Makes texts that hold tokens unreadable in the storage, for who has not the installation's secret. */
export interface Seal {
  close(text: string): string;
  /** Gives what `close` was given. Throws when the text was tampered with, or sealed by another secret. */
  open(sealed: string): string;
}

const PREFIX = 'sealed:';
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const CIPHER = 'aes-256-gcm';

/** Authenticated encryption, each text under a key of its own. O(length). */
export function createSeal(secret: Uint8Array): Seal {
  const keyOf = (salt: Uint8Array) => {
    const bytes = createHmac('sha512', secret).update('seal\0').update(salt).digest();
    return [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES)] as const;
  };
  return {
    close(text) {
      const salt = randomBytes(SALT_BYTES);
      const cipher = createCipheriv(CIPHER, ...keyOf(salt));
      const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return PREFIX + Buffer.concat([salt, cipher.getAuthTag(), hidden]).toString('base64url');
    },
    open(sealed) {
      // before there was a seal, JSON was stored as it is
      if (!sealed.startsWith(PREFIX)) return sealed;
      const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url');
      const salt = bytes.subarray(0, SALT_BYTES);
      const decipher = createDecipheriv(CIPHER, ...keyOf(salt));
      decipher.setAuthTag(bytes.subarray(SALT_BYTES, SALT_BYTES + TAG_BYTES));
      const hidden = bytes.subarray(SALT_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(hidden), decipher.final()]).toString('utf8');
    },
  };
}
