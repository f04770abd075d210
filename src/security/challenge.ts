import { ERRORS, type Refusal, refuse } from '../model/errors.js';

/** A refusal that asks for a token, or for another one. */
export interface Unauthenticated extends Refusal {
  /** of the header `WWW-Authenticate` */
  challenge: string;
}

/**
 * Who sent no token is asked for one, and not told that something was wrong with it (RFC 6750, 3.1).
 *
 * @param realm - the tenant, where it is clear
 * @param fault - what is wrong with the token; a fixed text, as it goes into a header
 */
export function challengeOf(realm: string | undefined, fault?: string): Unauthenticated {
  const bearer = `Bearer realm="${realm ?? 'epr'}"`;
  return fault === undefined
    ? { ...refuse('unauthenticated'), challenge: bearer }
    : {
        ...refuse('unauthenticated', `${fault} ${ERRORS.unauthenticated[1]}`),
        challenge: `${bearer}, error="invalid_token", error_description="${fault}"`,
      };
}
