import { Type } from '@sinclair/typebox';
import type { Logger } from 'pino';
import { ENDPOINT_TOKEN, TOKEN_FORM } from '../model/endpoint.js';
import { refuse } from '../model/errors.js';
import { createAtMostEvery } from '../observability/index.js';
import type { Issued, TokenIssuer, TokenWish, Unissued } from '../register/index.js';
import { createSlots, type SlotLimits } from './slots.js';
import type { PeerAnswer, PeerClient, PeerLimits, PeerToken, Unavailable } from './types.js';

export interface CredentialManagementDeps {
  client: Pick<PeerClient, 'call'>;
  /** in whose name a tenant's endpoints get theirs; absent: in nobody's */
  tokenOf?: (tenant: string) => PeerToken;
  log: Logger;
  /** of registrations whose caller waits */
  singles?: SlotLimits;
  /** of batch tasks */
  tasks?: SlotLimits;
  /** how long such a caller waits in all, for its turn and for the answer */
  callerMs?: number;
}

/**
 * Registrations whose callers wait have connections of their own: a batch takes all that it can get. Who had to wait for
 * longer would have so little time left that the answer might be missed, and its token be nobody's.
 */
const SINGLES: SlotLimits = { atOnce: 16, maxWaiting: 1000, waitMs: 2_500 };
const CALLER_MS = 5_000;
const TASKS: SlotLimits = { atOnce: 32 };

/** Of the client. */
export const CREDENTIAL_MANAGEMENT_LIMITS: Partial<PeerLimits> = {
  connections: SINGLES.atOnce + TASKS.atOnce,
  attemptMs: 5_000,
  callMs: 10_000,
  maxAnswerBytes: 64 * 1024,
};

/** 401, 403, 404, 405, and redirects: what was asked, and not what was asked for, is refused. */
const NOT_OF_THE_CALLER = new Set([401, 402, 403, 404, 405, 406, 407, 415]);
const TELL_EVERY_MS = 30_000;

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
  const callerMs = deps.callerMs ?? CALLER_MS;
  const isDue = createAtMostEvery(TELL_EVERY_MS);
  /** when a registration was last answered */
  let answeredMs = -Infinity;

  /** It is set up wrongly, or is not what it should be: that will not go away by itself. */
  const fail = (found: string): Unissued => {
    if (isDue())
      deps.log.error(
        { peer: 'credential-management', found },
        'credential management does not answer as it should; see kaa.epr.credential-management.base-url',
      );
    return unissued('failed', `Credential management does not answer as it should (${found}).`);
  };

  async function ask(wish: TokenWish, callMs: number | undefined): Promise<Issued> {
    const { tenant, application, endpointId, token, correlationId, signal } = wish;
    const answer = await deps.client.call({
      method: 'POST',
      path: ['api', 'v1', 'endpoints', endpointId, 'tokens'],
      body: { applicationName: application, ...(token === undefined ? {} : { token }) },
      answer: IssuedToken,
      correlationId,
      ...(deps.tokenOf === undefined ? {} : { token: deps.tokenOf(tenant) }),
      ...(signal === undefined ? {} : { signal }),
      ...(callMs === undefined ? {} : { callMs }),
    });
    if (callMs !== undefined && answer.kind !== 'unavailable') answeredMs = performance.now();
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
      const isOfTask = wish.isOfTask === true;
      const beganMs = performance.now();
      const slot = await (isOfTask ? tasks : singles).take(wish.signal);
      if (slot === 'cancelled') return unissued('away', 'It was called off.');
      if (slot === 'late' && answeredMs < beganMs)
        return unissued(
          'away',
          'Credential management answers nobody now. Nothing was registered: try again shortly.',
        );
      if (typeof slot === 'string') {
        const waiting = `${singles.waiting} registrations wait for credential management already.`;
        return unissued('too-many', `${waiting} Nothing was done: try again shortly.`);
      }
      try {
        return await ask(wish, isOfTask ? undefined : callerMs - (performance.now() - beganMs));
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
