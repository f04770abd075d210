import { type Refusal, refuse, statusOf } from '../../model/errors.js';
import type { Call, Route, RouteDeps } from './route.js';
import type { Reply, Result } from './reply.js';

const STREAMED =
  'A stream of lines takes no Idempotency-Key, since its results are not kept. Send application/json with it, or the stream without it.';

/** `Idempotency-Key`: taken as it is, quotes included. */
export function readIdempotencyKey(text: string): { key: string } | Refusal {
  if (/^[\x20-\x7e]{1,255}$/.test(text)) return { key: text };
  return refuse('invalid-header', 'Idempotency-Key takes 1 to 255 printable ASCII characters.');
}

/** Handles a call under its key: the first one does it, and those after it are answered as that one was. */
export async function handleOnce(route: Route, call: Call, key: string, deps: RouteDeps): Promise<Result> {
  if (call.stream !== undefined) return refuse('invalid-header', STREAMED);
  const content = JSON.stringify([route.operationId, call.path, call.query, call.text]);
  const answer = await deps.register.requests.once(call.context, { key, content }, async (requestId) => {
    const result = await route.handle({ ...call, context: { ...call.context, requestId } }, deps);
    return { answer: JSON.stringify(result), keep: isFinal(result) };
  });
  return answer.kind === 'ok' ? (JSON.parse(answer.value) as Reply | Refusal) : answer;
}

/** What is to be tried again is no answer to keep. */
function isFinal(result: Result): boolean {
  if (result.kind === 'reply') return result.isFinal ?? true;
  if (result.kind !== 'refused') return false;
  // a caller signs in again, or is given the right, and asks the same again
  if (result.code === 'unauthenticated' || result.code === 'forbidden') return false;
  return statusOf(result.code) < 429;
}
