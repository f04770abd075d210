import { type Refusal, refuse } from '../model/errors.js';
import type { Retry } from '../model/outcome.js';
import type { Caller } from './access.js';
import { challengeOf, type Unauthenticated } from './challenge.js';
import type { SecurityMetrics } from './security-metrics.js';
import { TOKEN_FAULTS } from './token-claims.js';
import { MAX_TOKEN_BYTES } from './token-form.js';
import type { TokenVerifier, Verified } from './token-verifier.js';

export interface Authenticator {
  /** Who sends this `Authorization` header. Never rejects. */
  authenticate(authorization: string | undefined): Authenticated | Promise<Authenticated>;
}

export type Authenticated = Caller | Refusal | Unauthenticated | Retry;

/** as nearly all write it */
const USUAL = 'Bearer ';
/** RFC 6750, 2.1; the scheme in any case (RFC 9110, 11.1) */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/** Bearer tokens in the header `Authorization`; what is wrong is answered as RFC 6750, section 3, has it. */
export function createAuthenticator(deps: {
  verifier: Pick<TokenVerifier, 'known' | 'verify'>;
  metrics: SecurityMetrics;
}): Authenticator {
  const { verifier, metrics } = deps;
  return {
    authenticate(authorization) {
      if (authorization?.startsWith(USUAL) === true) {
        // what was taken once needs no second look at its form
        const before = verifier.known(authorization.slice(USUAL.length));
        if (before !== undefined) return callerOf(before);
      }
      if (authorization === undefined || !/^bearer/i.test(authorization)) {
        metrics.tokens.inc({ result: 'none' });
        return challengeOf(undefined);
      }
      if (authorization.length > MAX_TOKEN_BYTES + 'Bearer '.length) {
        metrics.tokens.inc({ result: 'too-large' });
        return refuse('invalid-header', `An access token may have ${MAX_TOKEN_BYTES / 1024} KiB.`);
      }
      const token = BEARER.exec(authorization)?.[1];
      if (token === undefined) {
        metrics.tokens.inc({ result: 'malformed' });
        return challengeOf(undefined, TOKEN_FAULTS.malformed);
      }
      const verified = verifier.verify(token);
      return verified instanceof Promise ? verified.then(callerOf) : callerOf(verified);
    },
  };
}

function callerOf(verified: Verified): Authenticated {
  if (!('kind' in verified)) return { tenant: verified.tenant.name, token: verified };
  return verified.kind === 'retry' ? verified : challengeOf(verified.realm, TOKEN_FAULTS[verified.fault]);
}
