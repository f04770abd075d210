import { ERRORS } from '../model/errors.js';
import { type CredentialFlags, credentialOf } from './credential.js';
import { CliFailure } from './failure.js';
import { addressOf } from './address.js';
import {
  createHttpClient,
  errorOf,
  retryAfterMs,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
} from './http.js';
import { createPatience, type Patience, type PatienceOptions } from './patience.js';

/** What a request to the register needs. */
export interface AskDeps {
  client: HttpClient;
  patience: Patience;
  signal: AbortSignal;
}

/** @param register where it is asked, and how long it may be away */
export function askDepsOf(
  register: CredentialFlags & { retryForMs: number },
  { signal, onNotice }: Pick<PatienceOptions, 'signal' | 'onNotice'>,
): AskDeps {
  const { url, retryForMs } = register;
  const patience = createPatience({ server: addressOf(url), retryForMs, signal, onNotice });
  return { client: createHttpClient(url, credentialOf(register, onNotice)), patience, signal };
}

/** An answer that no other request would fare better with: a right that is missing, a wrong address. */
export function endingFailure(answer: Pick<HttpAnswer, 'status' | 'body'>): CliFailure | undefined {
  const { code, message } = errorOf(answer);
  // of a register, which says what is not there
  if (answer.status === 404 && code !== undefined && code !== 'not-found' && code in ERRORS)
    return new CliFailure(`The register refuses this (404): ${message}`);
  switch (answer.status) {
    case 403:
      return new CliFailure(
        `The token does not allow this (403): ${message} Whoever looks after the rights of the tenant can grant it.`,
      );
    case 404:
    case 405:
      return new CliFailure(
        `What answers at --url is not the REST port of a register (${answer.status}: ${message}) Give the address that the register names for REST when it starts, with its path prefix if it has one; health and metrics have a port of their own.`,
      );
    case 415:
      return new CliFailure(
        `What answers at --url is no endpoint register of this version (${answer.status}: ${message})`,
      );
    default:
      return undefined;
  }
}

/** The status of an answer that asks to come again later, not to change anything. */
export function asksToWait(status: number): boolean {
  return status === 429 || status === 503;
}

const WAIT_MS = 1000;

/** Asks until there is an answer to act on: waits where the register asks for it, tries again where it is away. */
export async function ask({ client, patience, signal }: AskDeps, request: HttpRequest): Promise<HttpAnswer> {
  for (;;) {
    let answer: HttpAnswer;
    try {
      answer = await client.request({ ...request, signal });
    } catch (error) {
      await patience.afterFailure(error);
      continue;
    }
    if (answer.status >= 500 && answer.status !== 503) {
      await patience.afterFailure(new Error(`${answer.status}: ${errorOf(answer).message}`));
      continue;
    }
    patience.answered();
    if (!asksToWait(answer.status)) return answer;
    await patience.asked(waitReason(answer), retryAfterMs(answer.headers, WAIT_MS));
  }
}

export function waitReason(answer: Pick<HttpAnswer, 'status' | 'body'>): string {
  return `the register asks to wait (${answer.status}: ${errorOf(answer).message})`;
}
