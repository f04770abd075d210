import { createHash, createHmac } from 'node:crypto';
import type { Logger } from 'pino';
import { refuse } from '../model/errors.js';
import { ok, retry } from '../model/outcome.js';
import type { Store } from '../storage/index.js';
import { guarded } from './guarded.js';
import { createSeal } from './seal.js';
import type { KeyedRequests } from './types.js';

export interface KeyedRequestsDeps {
  store: Store;
  /** at least 32 bytes: from it and the key, ids are made; answers are sealed with it, since they may show a token */
  secret: Uint8Array;
  now: () => number;
  log: Logger;
  /** answers that are kept at a time; default a million */
  limit?: number;
}

export interface RunningKeyedRequests extends KeyedRequests {
  /** Begins to forget old answers. */
  resume(): void;
  stop(): void;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const EXPIRE_EVERY_MS = 60_000;
const LIMIT = 1_000_000;

/**
 * Requests under an idempotency key. An answer is kept, durably, before it is given. When that could not be (a crash, a
 * storage that went away) the request is done again under the same id, and finds what it did itself.
 */
export function createKeyedRequests(deps: KeyedRequestsDeps): RunningKeyedRequests {
  const { store, secret, now, log, limit = LIMIT } = deps;
  const seal = createSeal(secret);
  const underWay = new Map<string, { fingerprint: string; answer: ReturnType<KeyedRequests['once']> }>();
  let timer: NodeJS.Timeout | undefined;

  const once: KeyedRequests['once'] = (context, { key, content }, work) => {
    // an answer may show what others must not see: each caller has keys of its own
    const id = hash(
      JSON.stringify([
        context.tenant ?? null,
        key,
        ...(context.subject === undefined ? [] : [context.subject]),
      ]),
    );
    // keyed, too: what is asked may hold a token that is short
    const fingerprint = createHmac('sha256', secret).update(content).digest('base64url');
    const running = underWay.get(id);
    if (running !== undefined)
      return running.fingerprint === fingerprint ? running.answer : Promise.resolve(reused());
    const answer = guarded(async () => {
      const kept = await store.getAnswer(id);
      if (kept !== undefined && kept.createdMs >= now() - DAY_MS)
        return kept.fingerprint === fingerprint ? ok(seal.open(kept.answer)) : reused();
      if (kept !== undefined) await store.expireAnswers(now() - DAY_MS);
      if ((await store.countAnswers()) >= limit) {
        return retry(
          'overloaded',
          `The answers of ${limit} requests with an Idempotency-Key are kept already, each for 24 h. Nothing was done: send it without the header, or later.`,
        );
      }
      const done = await work(requestIdOf(secret, id, fingerprint));
      if (!done.keep) return ok(done.answer);
      const answer = seal.close(done.answer);
      const first = await store.putAnswer({ id, createdMs: now(), fingerprint, answer });
      return first.fingerprint === fingerprint ? ok(seal.open(first.answer)) : reused();
    }).finally(() => underWay.delete(id));
    underWay.set(id, { fingerprint, answer });
    return answer;
  };

  const expire = () => {
    store
      .expireAnswers(now() - DAY_MS)
      .catch((error: unknown) =>
        log.warn(
          { err: error },
          'old answers under idempotency keys could not be removed; tried again in a minute',
        ),
      );
  };

  return {
    once,
    resume() {
      expire();
      timer = setInterval(expire, EXPIRE_EVERY_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** A UUID that nobody can guess, the same for the same key and content. */
function requestIdOf(secret: Uint8Array, id: string, fingerprint: string): string {
  const bytes = createHmac('sha256', secret).update(`${id}\0${fingerprint}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function reused() {
  return refuse('idempotency-key-reused');
}
