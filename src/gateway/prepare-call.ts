import { type Refusal, refuse } from '../model/errors.js';
import { readIfMatch, readIfNoneMatch } from '../model/entity-tags.js';
import type { Caller } from '../security/index.js';
import type { PreparedRoute } from './prepared-route.js';
import { readIdempotencyKey } from './table/idempotency.js';
import { pathParameter } from './table/path-parameters.js';
import type { Call, Route } from './table/route.js';
import type { Exchange } from './wire/exchange.js';
import type { RequestHead } from './wire/request-head.js';

const ANYBODY: Caller = {};

/** Everything that is known before the body. */
export function prepareCall(
  exchange: Exchange,
  prepared: PreparedRoute,
  values: readonly string[],
  prefix: string,
): Call | Refusal {
  const { head } = exchange;
  const path: Record<string, string> = {};
  for (let i = 0; i < values.length; i++) {
    const name = prepared.names[i]!;
    const value = values[i]!;
    const parameter = pathParameter(name);
    if (!parameter.accepts(value)) {
      return refuse(parameter.code, `${parameter.message} Found "${value.slice(0, 80)}".`, [
        { path: name, message: parameter.message },
      ]);
    }
    path[name] = value;
  }
  const query = prepared.readQuery(head.query);
  if ('kind' in query) return query;
  const call: Call = {
    path,
    prefix,
    query: query.value,
    body: undefined,
    text: '',
    mediaType: '',
    caller: ANYBODY,
    context: { correlationId: exchange.correlationId },
    ifMatch: undefined,
    ifNoneMatch: undefined,
    idempotencyKey: undefined,
    receivedMs: Date.now(),
    lastEventId: prepared.route.resumable === true ? head.lastEventId : undefined,
    stream: undefined,
  };
  if (prepared.route.idempotent && head.idempotencyKey !== undefined) {
    const read = readIdempotencyKey(head.idempotencyKey);
    if ('kind' in read) return read;
    call.idempotencyKey = read.key;
  }
  return readConditions(head, prepared.route, call) ?? call;
}

function readConditions(head: RequestHead, route: Route, call: Call): Refusal | undefined {
  if (route.conditional === undefined) return undefined;
  if (route.method === 'GET') {
    if (head.ifNoneMatch !== undefined) {
      const tags = readIfNoneMatch(head.ifNoneMatch);
      if ('kind' in tags) return tags;
      call.ifNoneMatch = tags.tags;
    }
  } else if (head.ifNoneMatch !== undefined) {
    return refuse(
      'invalid-header',
      `If-None-Match is not taken on ${route.method}: use If-Match with the ETag that you know. Nothing was changed.`,
    );
  }
  if (head.ifMatch === undefined) return undefined;
  const tags = readIfMatch(head.ifMatch);
  if ('kind' in tags) return tags;
  call.ifMatch = tags.tags;
  return undefined;
}
