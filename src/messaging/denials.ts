import type { Logger } from 'pino';

/** What the server says that we may not do. */
export interface Denial {
  /** `publish` or `subscription` */
  operation: string;
  subject: string;
}

/** Logs each once in the life of a connection: what is denied is tried again and again. */
export interface Denials {
  /** a new connection may have other permissions */
  forget(): void;
  /** Answers what is wrong, with the remedy. */
  add(denial: Denial): string;
}

const MOST_LOGGED = 10;

export function createDenials(log: Logger): Denials {
  const seen = new Set<string>();
  return {
    forget: () => seen.clear(),
    add({ operation, subject }) {
      const what = operation === 'publish' ? 'publish to' : 'subscribe to';
      const text = `The server does not let us ${what} ${subject}. Permit it to the user that this service signs in as.`;
      if (seen.has(text) || seen.size > MOST_LOGGED) return text;
      seen.add(text);
      const rest = seen.size > MOST_LOGGED ? ' More like this are not logged until the next connection.' : '';
      log.warn({ operation, subject }, text + rest);
      return text;
    },
  };
}
