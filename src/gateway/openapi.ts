import type { TSchema } from '@sinclair/typebox';
import { type ErrorCode, ERRORS, statusOf } from '../model/errors.js';
import { API } from './base-url.js';
import { pathParameter } from './table/path-parameters.js';
import type { Route } from './table/route.js';
import { namesOf } from './table/router.js';
import { ErrorBody } from './table/schemas.js';

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
  'nested-too-deep',
  'body-too-large',
  'unsupported-media-type',
];
const PROTECTED: readonly ErrorCode[] = ['forbidden'];
const WRITES: readonly ErrorCode[] = ['overloaded'];
const STORED: readonly ErrorCode[] = ['storage-unavailable'];

type Json = Record<string, unknown>;

/** Writes the table as OpenAPI 3.1. Nothing is said here that a row could say. */
export function createOpenApi(
  routes: readonly Route[],
  prefixes: readonly string[],
  version: string,
): string {
  const paths: Record<string, Json> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'Endpoint register',
      version,
      description:
        'Devices, their metadata, and saved filters that follow every change. Errors are `{message, code, details?}`; every answer ' +
        'carries `X-Correlation-ID`, taken from the request (1 to 128 printable ASCII characters) or made. Unknown query parameters ' +
        'are refused. JSON is strict: duplicate keys, lone surrogates and numbers that a double can not hold are refused. ' +
        '`Location` is built from the configured public URL, or from `Host` and `X-Forwarded-Proto`. HEAD is taken wherever GET is. ' +
        'Requests must not be pipelined: the connection is closed.',
    },
    servers: prefixes.map((prefix) => ({ url: prefix + API })),
    tags: [...new Set(routes.flatMap(({ tags }) => tags))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: ErrorBody },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  });
}

function operationOf(route: Route): Json {
  const operation: Json = { operationId: route.operationId, summary: route.summary, tags: route.tags };
  if (route.description !== undefined) operation['description'] = route.description;
  operation['security'] = route.access === 'public' ? [] : [{ bearer: [] }];
  if (route.access !== 'public') operation['x-scope'] = route.access.scope;
  operation['parameters'] = [...pathParameters(route), ...queryParameters(route), ...headerParameters(route)];
  if (route.body !== undefined) {
    const content: Json = {};
    for (const [type, { schema, example }] of Object.entries(route.body.content)) {
      content[type] = example === undefined ? { schema } : { schema, example };
    }
    operation['requestBody'] = { required: true, content };
  }
  operation['responses'] = { ...successes(route), ...failures(route) };
  return operation;
}

function pathParameters(route: Route): Json[] {
  return namesOf(route.path).map((name) => {
    const { schema, example } = pathParameter(name);
    return { name, in: 'path', required: true, schema, example };
  });
}

function queryParameters(route: Route): Json[] {
  const required = new Set(route.query?.required ?? []);
  return Object.entries<TSchema>(route.query?.properties ?? {}).map(([name, schema]) => {
    const parameter: Json = { name, in: 'query', required: required.has(name), schema };
    if (schema.description !== undefined) parameter['description'] = schema.description;
    return parameter;
  });
}

function headerParameters(route: Route): Json[] {
  const parameters: Json[] = [header('X-Correlation-ID', 'Carried into events and logs, and answered.')];
  if (route.conditional !== undefined) {
    parameters.push(
      header('If-Match', 'Entity tags, or `*`: 412, and no change, when none is the present one.'),
    );
    if (route.method === 'GET')
      parameters.push(header('If-None-Match', 'Entity tags, or `*`: 304 when one is the present one.'));
  }
  if (route.idempotent !== undefined)
    parameters.push(
      header(
        'Idempotency-Key',
        '1 to 255 printable ASCII characters, a new one for each request: the same request with the same key within 24 h is ' +
          'answered as the first was, and does nothing. With another request, and with a stream of lines, it is refused.',
      ),
    );
  return parameters;
}

function header(name: string, description: string): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } };
}

function successes(route: Route): Json {
  const responses: Json = {};
  for (const [status, spec] of Object.entries(route.responses)) {
    const response: Json = { description: spec.description };
    if (spec.schema !== undefined) {
      const types = [spec.mediaType ?? 'application/json'];
      if (Object.values(route.body?.content ?? {}).some((media) => media.streamed))
        types.push('application/x-ndjson');
      const media =
        spec.example === undefined ? { schema: spec.schema } : { schema: spec.schema, example: spec.example };
      response['content'] = Object.fromEntries(types.map((type) => [type, media]));
    }
    const headers = (spec.headers ?? []).map((name) => [name, { schema: { type: 'string' } }] as const);
    response['headers'] = Object.fromEntries([
      ...headers,
      ['X-Correlation-ID', { schema: { type: 'string' } }],
    ]);
    responses[status] = response;
  }
  if (route.conditional !== undefined && route.method === 'GET')
    responses['304'] = { description: 'Not changed.' };
  return responses;
}

function failures(route: Route): Json {
  const codes = new Set<ErrorCode>([...ALWAYS, ...route.errors]);
  const add = (more: readonly ErrorCode[]) => more.forEach((code) => codes.add(code));
  if (route.body !== undefined) add([...WITH_BODY, 'invalid-body']);
  add(namesOf(route.path).map((name) => pathParameter(name).code));
  if (route.access !== 'public') add([...PROTECTED, ...STORED]);
  if (route.method !== 'GET') add(WRITES);
  if (route.conditional !== undefined) add(['precondition-failed']);
  if (route.idempotent !== undefined) add(['idempotency-key-reused']);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code]);
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      String(status),
      {
        description: some.map((code) => `\`${code}\`: ${ERRORS[code][1]}`).join('\n\n'),
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/Error' },
            example: { message: ERRORS[some[0]!][1], code: some[0]! },
          },
        },
      },
    ]),
  );
}
