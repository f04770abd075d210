import type { Logger } from 'pino';
import type { SparingLog } from './sparing-log.js';
import { isSubject } from './subjects.js';

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
  /** Answers what is wrong, with the remedy; undefined: nothing, but an answer goes where its requester wanted it, or not at all. */
  add(denial: Denial): string | undefined;
}

export interface DenialsDeps {
  /** whether a subject is one that this service publishes to of itself; others are named by who sends requests */
  isOwn: (subject: string) => boolean;
  log: Logger;
  sparing: SparingLog;
}

const MOST_LOGGED = 10;

export function createDenials({ isOwn, log, sparing }: DenialsDeps): Denials {
  const seen = new Set<string>();

  /** What we publish to of ourselves, and all subscriptions: a few. */
  const addOwn = ({ operation, subject }: Denial): string => {
    const what = operation === 'publish' ? 'publish to' : 'subscribe to';
    const text = `The server does not let us ${what} ${subject}. Permit it to the user that this service signs in as.`;
    if (seen.has(text) || seen.size > MOST_LOGGED) return text;
    seen.add(text);
    const rest = seen.size > MOST_LOGGED ? ' More like this are not logged until the next connection.' : '';
    log.warn({ operation, subject }, text + rest);
    return text;
  };

  /** Who sends a request names what it is answered at, as many subjects as it likes: they are not to hide others. */
  const addAnswer = (subject: string): string | undefined => {
    const { kind, remedy, isCertain } = answerDenied(subject);
    const text = `The server does not let us publish to ${subject}. ${remedy}`;
    sparing.tell(kind, { operation: 'publish', subject }, text);
    return isCertain ? text : undefined;
  };

  return {
    forget: () => seen.clear(),
    add: (denial) =>
      denial.operation === 'publish' && (!isSubject(denial.subject) || !isOwn(denial.subject))
        ? addAnswer(denial.subject)
        : addOwn(denial),
  };
}

/** `isCertain`: that it is a fault of the permissions. */
function answerDenied(subject: string): { kind: string; remedy: string; isCertain: boolean } {
  if (!isSubject(subject))
    return {
      kind: 'answer to no subject',
      remedy:
        'No permission helps, for a subject has no empty parts between dots. A request named it for its answer: whoever sends it has to name another.',
      isCertain: false,
    };
  if (subject.startsWith('_INBOX.'))
    return {
      kind: 'inbox denied',
      remedy: 'Permit _INBOX.> to the user that this service signs in as: requesters wait in vain.',
      isCertain: true,
    };
  if (subject.startsWith('$JS.'))
    return {
      kind: 'JetStream denied',
      remedy:
        'Permit it to the user that this service signs in as, unless a request named it for its answer.',
      isCertain: true,
    };
  return {
    kind: 'answer denied',
    remedy: 'A request named it for its answer; permit it if requesters are to be answered there.',
    isCertain: false,
  };
}
