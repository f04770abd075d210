import { type ErrorCode, ERRORS, statusOf } from '../../model/errors.js';
import { pathParameter } from '../table/path-parameters.js';
import type { Route } from '../table/route.js';
import { namesOf } from '../table/router.js';
import { ErrorBody } from '../table/schemas.js';
import type { Components, Json } from './components.js';
import { headersOf } from './headers.js';

/** What every operation can answer. */
const ALWAYS: readonly ErrorCode[] = [
  'invalid-header',
  'invalid-parameter',
  'unknown-parameter',
  'internal',
  'stopping',
];
const WITH_BODY: readonly ErrorCode[] = [
  'malformed-json',
  'invalid-body',
  'nested-too-deep',
  'body-too-large',
  'unsupported-media-type',
];
const PROTECTED: readonly ErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'auth-server-unavailable',
  'tenants-unavailable',
];
const WRITES: readonly ErrorCode[] = ['overloaded'];
const STORED: readonly ErrorCode[] = ['storage-unavailable'];
/** An operation that looks for an application, or for keys that are restricted, says that neither is known yet. */
const LOOKS_FOR: readonly ErrorCode[] = [
  'application-not-found',
  'application-version-not-found',
  'key-restricted',
];
const CONDITIONAL: readonly ErrorCode[] = ['precondition-failed'];
const IDEMPOTENT: readonly ErrorCode[] = ['idempotency-key-reused'];

/** The error codes that an operation can answer with. */
function codesOf(route: Route): ReadonlySet<ErrorCode> {
  const protectedRoute = route.access !== 'public';
  return new Set<ErrorCode>([
    ...ALWAYS,
    ...route.errors,
    ...(route.errors.some((code) => LOOKS_FOR.includes(code)) ? (['applications-unavailable'] as const) : []),
    ...(route.body === undefined ? [] : WITH_BODY),
    ...namesOf(route.path).map((name) => pathParameter(name).code),
    ...(protectedRoute ? [...PROTECTED, ...STORED] : []),
    ...(route.method === 'GET' ? [] : WRITES),
    ...(route.conditional === undefined ? [] : CONDITIONAL),
    ...(route.idempotent === undefined ? [] : IDEMPOTENT),
  ]);
}

/** The answers to what was not done: one a status, with the codes that it can have. */
export function failuresOf(route: Route, components: Components): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codesOf(route)) {
    const status = statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [String(status), responseOf(status, codes.sort(), components)]),
  );
}

/** Operations whose answers of one status have the same few codes share one response. */
const SHARED_CODES = 3;

function responseOf(status: number, codes: readonly ErrorCode[], components: Components): Json {
  const response = {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code][1]}`).join('\n\n'),
    headers: headersOf(failureHeaders(status), components),
    content: {
      'application/json': {
        schema: {
          allOf: [
            components.schema(ErrorBody),
            { type: 'object', required: ['code'], properties: { code: { enum: codes } } },
          ],
        },
        examples: Object.fromEntries(
          codes.map((code) => [
            code,
            { summary: ERRORS[code][1], value: { message: ERRORS[code][1], code } },
          ]),
        ),
      },
    },
  };
  if (codes.length > SHARED_CODES) return response;
  return components.refer('responses', codes.map(pascalCase).join('Or'), response);
}

function failureHeaders(status: number): readonly ('Retry-After' | 'WWW-Authenticate')[] {
  if (status === 429 || status === 503) return ['Retry-After'];
  return status === 401 ? ['WWW-Authenticate'] : [];
}

function pascalCase(code: string): string {
  return code.replace(/(?:^|-)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}
