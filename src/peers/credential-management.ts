import { Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import { ENDPOINT_TOKEN, TOKEN_FORM } from '../model/endpoint.js';
import { refuse } from '../model/errors.js';
import type { Issued, TokenIssuer, TokenWish, Unissued } from '../register/index.js';
import { createSlots, type SlotLimits } from './slots.js';
import type { PeerAnswer, PeerClient, PeerLimits, Unavailable } from './types.js';

export interface CredentialManagementDeps {
  client: Pick<PeerClient, 'call'>;
  log: Logger;
  /** of registrations whose caller waits */
  singles?: SlotLimits;
  /** of batch tasks */
  tasks?: SlotLimits;
}

/** Registrations whose callers wait have connections of their own: a batch takes all that it can get. */
const SINGLES: SlotLimits = { atOnce: 16, maxWaiting: 1000, waitMs: 5_000 };
const TASKS: SlotLimits = { atOnce: 32 };

/** Of the client. A caller waits for its turn and for the answer. */
export const CREDENTIAL_MANAGEMENT_LIMITS: Partial<PeerLimits> = {
  connections: SINGLES.atOnce + TASKS.atOnce,
  attemptMs: 5_000,
  callMs: 10_000,
  maxAnswerBytes: 64 * 1024,
};

/** 401, 403, 404, 405, and redirects: what was asked, and not what was asked for, is refused. */
const NOT_OF_THE_CALLER = new Set([401, 402, 403, 404, 405, 406, 407, 415]);
const TOLD_EVERY_MS = 30_000;

const IssuedToken = Type.Object({
  token: Type.String(),
  endpointId: Type.Optional(Type.String()),
});

/**
 * Tokens that credential management issues: `POST {url}/api/v1/endpoints/{endpointId}/tokens`. It keeps tokens apart, and
 * knows nothing of repeated wishes: what it was asked once is asked again only when it has surely not done it.
 */
export function createCredentialManagement(deps: CredentialManagementDeps): TokenIssuer {
  const singles = createSlots(deps.singles ?? SINGLES);
  const tasks = createSlots(deps.tasks ?? TASKS);
  let toldMs = -Infinity;

  /** It is set up wrongly, or is not what it should be: that will not go away by itself. */
  const fail = (found: string): Unissued => {
    if (performance.now() - toldMs > TOLD_EVERY_MS) {
      toldMs = performance.now();
      deps.log.error(
        { peer: 'credential-management', found },
        'credential management does not answer as it should; see kaa.epr.credential-management.base-url',
      );
    }
    return unissued('failed', `Credential management does not answer as it should (${found}).`);
  };

  async function ask(wish: TokenWish): Promise<Issued> {
    const { application, endpointId, token, correlationId, signal } = wish;
    const answer = await deps.client.call({
      method: 'POST',
      path: ['api', 'v1', 'endpoints', endpointId, 'tokens'],
      body: { applicationName: application, ...(token === undefined ? {} : { token }) },
      answer: IssuedToken,
      correlationId,
      ...(signal === undefined ? {} : { signal }),
    });
    return read(answer, wish);
  }

  function read(
    answer: PeerAnswer<{ token: string; endpointId?: string }>,
    { endpointId, token: given }: TokenWish,
  ): Issued {
    switch (answer.kind) {
      case 'ok': {
        const { token, endpointId: of = endpointId } = answer.value;
        if (of !== endpointId) return fail('a token of another endpoint');
        if (!ENDPOINT_TOKEN.test(token)) return fail(`a token that can not be one: it has ${TOKEN_FORM}`);
        if (given !== undefined && token !== given) return fail('another token than the one that was given');
        return { kind: 'issued', token };
      }
      case 'refused': {
        const message = withoutToken(answer.message, given);
        if (answer.status === 409) return refuse('token-taken', takenMessage(given !== undefined, message));
        // what it says of our credentials is not for callers, nor for the log
        if (answer.status < 400 || NOT_OF_THE_CALLER.has(answer.status))
          return fail(`status ${answer.status}`);
        return refuse('token-refused', `Credential management refuses it: ${message}`);
      }
      case 'malformed':
        return fail(`${answer.status}: ${withoutToken(answer.message, given)}`);
      case 'unavailable':
        return readUnavailable(answer);
    }
  }

  return {
    repeatable: false,
    async issue(wish) {
      const slot = await (wish.isOfTask === true ? tasks : singles).take(wish.signal);
      if (slot === 'cancelled') return unissued('away', 'It was called off.');
      if (typeof slot === 'string') {
        const waiting = `${singles.waiting} registrations wait for credential management already.`;
        return unissued('too-many', `${waiting} Nothing was done: try again shortly.`);
      }
      try {
        return await ask(wish);
      } finally {
        slot();
      }
    },
  };
}

function readUnavailable({ cause, mayBeDone }: Unavailable): Unissued {
  // who has too much to do has not done it
  if (!mayBeDone || cause === 'overloaded')
    return unissued(
      'away',
      `Credential management is away (${cause}). Nothing was registered: try again shortly.`,
    );
  return unissued(
    'failed',
    `Credential management gave no answer (${cause}): the endpoint is not registered, but a token may have been issued to it. Try again shortly.`,
  );
}

function takenMessage(wasGiven: boolean, found: string): string {
  return wasGiven
    ? `Credential management has this token already (${found}). Should an earlier try of this very registration have failed, it may be from there: remove it at credential management, or give another one.`
    : `Credential management issues no token to this endpoint (${found}).`;
}

function unissued(cause: Unissued['cause'], message: string): Unissued {
  return { kind: 'unissued', cause, message };
}

/** Messages are logged, and stored with failed lines of batches. */
function withoutToken(text: string, token: string | undefined): string {
  if (token === undefined) return text;
  return text.replaceAll(token, '...').replaceAll(JSON.stringify(token).slice(1, -1), '...');
}
