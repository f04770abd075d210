import type { Test } from 'tap';
import { type Harness, startHarness } from '../gateway/harness.js';
import { type Clock, type Issuer, makeAccess, startIssuer } from './issuer.js';

export interface Target {
  h: Harness;
  issuer: Issuer;
  clock: Clock;
  results: () => Promise<Record<string, number>>;
  /** one request with the token, its status and challenge */
  send: (token: string) => Promise<{ status: number; challenge: string | null; text: string }>;
  /** refused, and not a word about why but the fixed one */
  refuses: (t: Test, name: string, token: string, description: string) => Promise<void>;
}

/** A gateway that asks who is there, for one tenant. */
export async function startTarget(t: Test, alg?: string): Promise<Target> {
  const issuer = await startIssuer(t, 'kaa', alg);
  const clock = { nowMs: Date.now(), monotonicMs: 1e6 };
  const { access, results } = makeAccess(t, { kaa: issuer }, { clock, clientId: 'epr' });
  const h = await startHarness(t, { access });
  const send = async (token: string) => {
    const { status, headers, text } = await h.call('GET', '/endpoints', undefined, {
      authorization: `Bearer ${token}`,
    });
    return { status, challenge: headers.get('www-authenticate'), text };
  };
  t.equal((await send(await issuer.token())).status, 200, 'a good token is taken');
  return {
    h,
    issuer,
    clock,
    results,
    send,
    async refuses(t, name, token, description) {
      const { status, challenge, text } = await send(token);
      t.equal(status, 401, name);
      t.match(
        challenge ?? '',
        /^Bearer realm="(epr|kaa)", error="invalid_token", error_description="[^"\\]+"$/,
      );
      t.match(challenge ?? '', description, name);
      t.match(JSON.parse(text), { code: 'unauthenticated' });
    },
  };
}
