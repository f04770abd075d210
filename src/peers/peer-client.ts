import { setMaxListeners } from 'node:events';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState as BreakerState,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleWhenResult,
} from 'cockatiel';
import type { Logger } from 'pino';
import type { JsonValue } from '../model/json.js';
import { createWire, type Exchanged, TOO_LARGE } from './exchange.js';
import type { PeerMetrics, PeerOutcome } from './peer-metrics.js';
import { createAnswerReader, excerptOf } from './read-answer.js';
import { bodyOf, headerText, pathOf } from './request-text.js';
import {
  type CircuitState,
  PEER_DEFAULTS,
  type PeerAnswer,
  type PeerClient,
  type PeerLimits,
  type PeerOptions,
  type PeerRequest,
  type PeerToken,
  type Unavailable,
  type UnavailableCause,
} from './types.js';
import { within } from './within.js';

export interface PeerDeps {
  log: Logger;
  metrics: PeerMetrics;
  /** 0 to 1, for the pauses */
  random?: () => number;
}

const ANYTHING = Type.Unknown();
const LET_WAIT = 'another call tries whether it works again, and had not come back in time';
/** what there is to read of an answer without content */
const NO_CONTENT = Buffer.from('null');
const CIRCUIT: Record<BreakerState, CircuitState> = {
  [BreakerState.Closed]: 'closed',
  [BreakerState.HalfOpen]: 'half-open',
  [BreakerState.Open]: 'open',
  [BreakerState.Isolated]: 'open',
};
/** The circuit opens when the peer does not answer or can't work, not when it says that it is busy. */
const FAILURES: ReadonlySet<PeerOutcome> = new Set(['unreachable', 'timeout', 'broken', 'server-error']);
const UNTRIED: ReadonlySet<PeerOutcome> = new Set(['cancelled', 'circuit-open']);
/** Others may be done by the time that we hear nothing. */
const REPEATED: ReadonlySet<PeerOutcome> = new Set([...FAILURES, 'overloaded']);

/**
 * Asks a peer over kept connections. What is idempotent, or was surely not done, is tried again after a random pause, or
 * after the one that the peer asks for, as long as the call's time allows. A peer that fails time after time is left
 * alone for a while: calls are answered `circuit-open` at once.
 */
export function createPeerClient(options: PeerOptions, deps: PeerDeps): PeerClient {
  const { name: peer, metricName = peer } = options;
  const { metrics, random = Math.random } = deps;
  const limits: PeerLimits = { ...PEER_DEFAULTS, ...options.limits };
  const log = deps.log.child({ peer });
  const url = new URL(options.url);
  const basePath = url.pathname.replace(/\/+$/, '');
  const wire = createWire(url.origin, limits);
  const readAnswer = createAnswerReader();
  const closing = new AbortController();
  let pending = 0;
  let lastError: string | undefined;

  const breaker = circuitBreaker(
    handleWhenResult((result) => {
      const outcome = outcomeOf(result as PeerAnswer<unknown>);
      // a trial that was called off, or not made, has shown nothing
      return FAILURES.has(outcome) || (UNTRIED.has(outcome) && breaker.state === BreakerState.HalfOpen);
    }),
    {
      breaker: new ConsecutiveBreaker(limits.failuresToOpen),
      // the library's own jitter goes down to nothing
      halfOpenAfter: new DelegateBackoff(
        ({ attempt }) =>
          Math.min(limits.openMostMs, limits.openFirstMs * 2 ** (attempt - 1)) * (0.75 + random() / 4),
      ),
    },
  );
  let told = false;
  breaker.onBreak(() => {
    if (!told) log.warn({ error: lastError }, `${peer} fails time after time and is left alone for a while.`);
    told = true;
  });
  breaker.onReset(() => {
    told = false;
    log.info(`${peer} answers again.`);
  });
  const unwatch = metrics.watch(metricName, () => ({ pending, circuit: CIRCUIT[breaker.state] }));

  /** One request; what it came to is counted. */
  async function attempt<T extends TSchema>(
    request: PeerRequest<T>,
    path: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<PeerAnswer<Static<T>>> {
    const beganMs = performance.now();
    const timeoutMs = Math.min(limits.attemptMs, Math.ceil(deadlineMs - beganMs));
    if (timeoutMs <= 0) return unavailable('circuit-open', LET_WAIT, false);
    const token = request.token ?? options.token;
    const own = request.authorization ?? (await credentialsOf(token, timeoutMs, signal));
    if (typeof own === 'object' && 'kind' in own) return own;
    const credentials = typeof own === 'object' ? `Bearer ${own.bearer}` : own;
    const headers: Record<string, string> = {
      accept: 'application/json',
      'x-correlation-id': headerText(request.correlationId),
    };
    if (credentials !== '') headers['authorization'] = credentials;
    const body = bodyOf(request);
    if (body !== undefined) headers['content-type'] = body.type;
    const exchanged = await wire.exchange({
      method: request.method,
      path,
      headers,
      ...(body === undefined ? {} : { body: body.text }),
      timeoutMs,
      signal,
    });
    metrics.seconds.observe({ peer: metricName }, (performance.now() - beganMs) / 1000);
    const answer = read(exchanged, request);
    if (answer.kind === 'refused' && answer.status === 401 && typeof own === 'object')
      token?.refused(own.bearer);
    if (answer.kind === 'ok' || answer.kind === 'refused') lastError = undefined;
    else if (outcomeOf(answer) !== 'cancelled') lastError = answer.message;
    return answer;
  }

  /** The header's value, '' for none; or a token. */
  async function credentialsOf(
    token: PeerToken | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<string | { bearer: string } | Unavailable> {
    if (token === undefined) {
      if (url.username === '') return '';
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      return `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const waited = await within(
      timeoutMs,
      signal,
      Promise.resolve().then(() => token.get()),
    );
    if (waited.kind === 'cancelled') return unavailable('cancelled', 'called off', false);
    if (waited.kind === 'value') return waited.value === undefined ? '' : { bearer: waited.value };
    const why = waited.kind === 'late' ? `not within ${timeoutMs} ms` : waited.message;
    return unavailable('no-token', `no token to ask with: ${why}`, false);
  }

  function read<T extends TSchema>(
    exchanged: Exchanged,
    { answer: schema, parse, wantsRefusal }: PeerRequest<T>,
  ): PeerAnswer<Static<T>> {
    if (exchanged.kind === 'failed') {
      const { cause, message, sent } = exchanged;
      return unavailable(cause, message, sent);
    }
    const { status, retryAfterMs } = exchanged;
    const tooLarge = `The answer has more than ${limits.maxAnswerBytes} bytes.`;
    if (status >= 200 && status < 300) {
      const value =
        exchanged.body === TOO_LARGE
          ? { ok: false as const, fault: tooLarge }
          : readAnswer(schema, status === 204 ? NO_CONTENT : exchanged.body, parse);
      return value.ok
        ? { kind: 'ok', status, value: value.value }
        : { kind: 'malformed', status, message: value.fault };
    }
    const message = `${status} ${exchanged.body === TOO_LARGE ? tooLarge : excerptOf(exchanged.body)}`.trim();
    const busy = status === 429 || status === 408;
    if (!busy && status < 500) {
      const refused: PeerAnswer<Static<T>> = { kind: 'refused', status, message };
      if (wantsRefusal !== true || exchanged.body === TOO_LARGE) return refused;
      const said = readAnswer(ANYTHING, exchanged.body);
      return said.ok ? { ...refused, json: said.value as JsonValue } : refused;
    }
    // who names a time to come back has not begun
    const mayBeDone = retryAfterMs === undefined || (status !== 429 && status !== 503);
    const answer = unavailable(
      busy ? 'overloaded' : 'server-error',
      options.hasSecrets === true ? String(status) : message,
      mayBeDone,
    );
    if (retryAfterMs !== undefined) answer.retryAfterMs = retryAfterMs;
    return answer;
  }

  /**
   * An attempt, if the circuit lets it through. One that is tried lets one through at a time: the others wait for it, but not
   * longer than they may.
   */
  async function throughBreaker<T extends TSchema>(
    request: PeerRequest<T>,
    path: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<PeerAnswer<Static<T>>> {
    let begun = false;
    const executed = breaker
      .execute(() => {
        begun = true;
        return attempt(request, path, deadlineMs, signal);
      })
      .catch((error: unknown): Unavailable => {
        if (!(error instanceof BrokenCircuitError)) throw error;
        return unavailable('circuit-open', `left alone after failures: ${lastError}`, false);
      });
    if (begun || breaker.state !== BreakerState.HalfOpen) return executed;
    const { kind } = await within(Math.max(0, deadlineMs - performance.now()), signal, executed);
    // an attempt keeps to its time by itself, and knows what may be done
    if (begun || (kind !== 'late' && kind !== 'cancelled')) return executed;
    return kind === 'late'
      ? unavailable('circuit-open', LET_WAIT, false)
      : unavailable('cancelled', 'called off', false);
  }

  async function attempts<T extends TSchema>(
    request: PeerRequest<T>,
    path: string,
    signal: AbortSignal,
  ): Promise<PeerAnswer<Static<T>>> {
    const { correlationId, idempotent = request.method !== 'POST' } = request;
    const deadlineMs = performance.now() + Math.min(limits.callMs, request.callMs ?? Infinity);
    let mayBeDone = false;
    let isRenewed = (request.token ?? options.token) === undefined || request.authorization !== undefined;
    for (let tried = 1; ; tried++) {
      const answer = await throughBreaker(request, path, deadlineMs, signal);
      const outcome = outcomeOf(answer);
      metrics.requests.inc({ peer: metricName, outcome });
      // what others say may have secrets in it
      const error = answer.kind === 'unavailable' ? answer.message : undefined;
      log.debug({ correlationId, method: request.method, path, outcome, tried, error }, 'request to a peer');
      if (answer.kind === 'refused' && answer.status === 401 && !isRenewed) {
        isRenewed = true;
        continue;
      }
      if (answer.kind !== 'unavailable') return answer;
      answer.mayBeDone = mayBeDone ||= answer.mayBeDone;
      if (!REPEATED.has(outcome)) return answer;
      if (tried >= limits.attempts || (mayBeDone && !idempotent)) return answer;
      const mostMs = Math.min(limits.retryMostMs, limits.retryFirstMs * 2 ** (tried - 1));
      const pauseMs = (answer.retryAfterMs ?? 0) + random() * mostMs;
      if (performance.now() + pauseMs >= deadlineMs) return answer;
      await within(pauseMs, signal);
      if (signal.aborted) return { ...answer, cause: 'cancelled' };
    }
  }

  return {
    async call(request) {
      const refusedHere = (cause: UnavailableCause, message: string) => {
        metrics.requests.inc({ peer: metricName, outcome: cause });
        return unavailable(cause, message, false);
      };
      if (pending >= limits.maxPending)
        return refusedHere('too-many', `${pending} calls of ${peer} are under way`);
      const path = pathOf(basePath, request);
      if (path === undefined)
        return { kind: 'refused', status: 400, message: 'A name that no path can have.' };
      const abort = new AbortController();
      const callOff = () => abort.abort();
      for (const signal of [closing.signal, request.signal]) {
        if (signal?.aborted === true) return refusedHere('cancelled', 'called off');
        if (signal === undefined) continue;
        // one listener a call
        setMaxListeners(0, signal);
        signal.addEventListener('abort', callOff);
      }
      pending++;
      try {
        return await attempts(request, path, abort.signal);
      } finally {
        pending--;
        for (const signal of [closing.signal, request.signal]) signal?.removeEventListener('abort', callOff);
      }
    },
    status: () => ({
      circuit: CIRCUIT[breaker.state],
      ...(lastError === undefined ? {} : { error: lastError }),
    }),
    async close() {
      closing.abort();
      unwatch();
      await wire.close();
    },
  };
}

function unavailable(cause: UnavailableCause, message: string, mayBeDone: boolean): Unavailable {
  return { kind: 'unavailable', cause, message, mayBeDone };
}

function outcomeOf(answer: PeerAnswer<unknown>): PeerOutcome {
  return answer.kind === 'unavailable' ? answer.cause : answer.kind;
}
