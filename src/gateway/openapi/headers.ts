import { type TSchema, Type } from '@sinclair/typebox';
import { PLACE_EXAMPLE, PLACE_PATTERN } from '../../live/index.js';
import type { Route } from '../table/route.js';
import type { Components, Json } from './components.js';

interface HeaderText {
  description: string;
  schema: TSchema;
  example: string;
}

const TAG = '"[\\x21\\x23-\\x7E]*"';

const CORRELATION_ID: HeaderText = {
  description: 'Taken from the request, or made; the events and the log lines of a request carry it.',
  schema: Type.String({ pattern: '^[\\x20-\\x7E]{1,128}$' }),
  example: 'c0a8-order-66',
};

/** Headers of answers. */
const ANSWERED = {
  'X-Correlation-ID': CORRELATION_ID,
  ETag: {
    description: 'Strong entity tag of what was answered, for `If-Match` and `If-None-Match`.',
    schema: Type.String({ pattern: `^${TAG}$` }),
    example: '"lq3k-2"',
  },
  Location: {
    description: 'Absolute URL of what was made, under the path prefix of the request.',
    schema: Type.String({ format: 'uri' }),
    example: 'https://iot.example.org/api/v1/endpoints/kettle-1',
  },
  'Retry-After': {
    description: 'Seconds to wait before the request is sent again.',
    schema: Type.String({ pattern: '^[0-9]+$' }),
    example: '1',
  },
  'WWW-Authenticate': {
    description: 'How to authenticate (RFC 6750).',
    schema: Type.String(),
    example: 'Bearer realm="epr"',
  },
} as const satisfies Record<string, HeaderText>;

export type AnsweredHeader = keyof typeof ANSWERED;

/** Every answer carries `X-Correlation-ID`; these beside it. */
export function headersOf(names: readonly AnsweredHeader[], components: Components): Json {
  const all: readonly AnsweredHeader[] = [...names, 'X-Correlation-ID'];
  return Object.fromEntries(all.map((name) => [name, components.refer('headers', name, ANSWERED[name])]));
}

const CONDITION = `^(\\*|(W/)?${TAG}(, ?(W/)?${TAG})*)$`;

type AskedHeader = 'X-Correlation-ID' | 'If-Match' | 'If-None-Match' | 'Idempotency-Key' | 'Last-Event-ID';

/** Headers of requests. */
const ASKED: Record<AskedHeader, HeaderText> = {
  'X-Correlation-ID': {
    ...CORRELATION_ID,
    description: 'Carried into events and logs, and answered; made when there is none, or an empty one.',
    schema: Type.String({ pattern: '^[\\x20-\\x7E]{0,128}$' }),
  },
  'If-Match': {
    description: 'Entity tags, or `*`: 412, and no change, when none is the present one.',
    schema: Type.String({ minLength: 1, pattern: CONDITION }),
    example: '*',
  },
  'If-None-Match': {
    description: 'Entity tags, or `*`: 304 when one is the present one.',
    schema: Type.String({ minLength: 1, pattern: CONDITION }),
    example: '"lq3k-1"',
  },
  'Idempotency-Key': {
    description:
      'A new one for each request: the same request with the same key within 24 h is answered as the first was, and does ' +
      'nothing. With another request, and with a stream of lines, it is refused.',
    schema: Type.String({ pattern: '^[\\x20-\\x7E]{1,255}$' }),
    example: '7d3f0c1e-order-66',
  },
  'Last-Event-ID': {
    description: 'The id of the last event that the reader has: what came behind it is sent first.',
    schema: Type.String({ pattern: PLACE_PATTERN }),
    example: PLACE_EXAMPLE,
  },
};

export function headerParameters(route: Route, components: Components): Json[] {
  const names: (keyof typeof ASKED)[] = ['X-Correlation-ID'];
  if (route.conditional !== undefined) {
    names.push('If-Match');
    if (route.method === 'GET') names.push('If-None-Match');
  }
  if (route.idempotent !== undefined) names.push('Idempotency-Key');
  if (route.resumable !== undefined) names.push('Last-Event-ID');
  return names.map((name) =>
    components.refer('parameters', name, { name, in: 'header', required: false, ...ASKED[name] }),
  );
}
