import { createHash } from 'node:crypto';
import { API } from '../base-url.js';
import type { MediaSpec, Requirement, ResponseSpec, Route, Tag } from '../table/route.js';
import { TAGS } from '../table/route.js';
import type { GatewayLimits } from '../types.js';
import { type Components, createComponents, type Json } from './components.js';
import { failuresOf } from './failures.js';
import { headerParameters, headersOf } from './headers.js';
import { createQueryParameters, pathParameters, type QueryParameters } from './parameters.js';

/** Writes the table for the path prefix of a request: JSON, and its entity tag. */
export type Describe = (routes: readonly Route[], prefix: string) => { text: string; etag: string };

export interface DescribeOptions {
  /** every prefix under which the operations answer */
  prefixes: readonly string[];
  /** of the service */
  version: string;
  /** asked at each use: what is said of them changes with the configuration */
  limits: () => GatewayLimits;
}

/** What readers of the document must know that is said of no operation by itself. */
const ABOUT =
  'Devices, their metadata, and saved filters that follow every change.\n\n' +
  'Errors are `{message, code, details?}`: the code is stable, and each operation lists those that it answers with. Every answer ' +
  'carries `X-Correlation-ID`. Unknown query parameters are refused. JSON is strict: duplicate keys, lone surrogates and ' +
  'numbers that a double can not hold are refused; a missing `Content-Type` is taken as `application/json`. `Location` is built ' +
  'from the configured public URL, or from `Host` and `X-Forwarded-Proto`. HEAD is taken wherever GET is. Requests must not be ' +
  'pipelined: the connection is closed.\n\n' +
  'A write is answered when it is durable, and its events are then certain to be published. What answers 429 or 503 may be sent ' +
  'again after `Retry-After`.';

/** Writes once for each prefix, and anew when the limits have changed. */
export function createDescribe(options: DescribeOptions): Describe {
  const written = new Map<string, { limits: string; text: string; etag: string }>();
  return (routes, prefix) => {
    const limits = JSON.stringify(options.limits());
    const known = written.get(prefix);
    if (known?.limits === limits) return known;
    const text = createOpenApi(routes, prefix, options);
    const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 16)}"`;
    const fresh = { limits, text, etag };
    written.set(prefix, fresh);
    return fresh;
  };
}

/**
 * Writes the table as OpenAPI 3.1. Nothing is said here that a row could say.
 * @param prefix under which it is asked for: the operations under it come first
 */
function createOpenApi(routes: readonly Route[], prefix: string, options: DescribeOptions): string {
  const components = createComponents(options.limits());
  const queryParameters = createQueryParameters(routes, components);
  const paths: Record<string, Json> = {};
  for (const route of routes)
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route, components, queryParameters);
  const prefixes = [prefix, ...options.prefixes.filter((other) => other !== prefix)];
  const used = new Set<Tag>(routes.flatMap(({ tags }) => tags));
  return JSON.stringify({
    openapi: '3.1.0',
    info: {
      title: 'Endpoint register',
      version: options.version,
      description: ABOUT,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    servers: prefixes.map((each) => ({
      url: each + API,
      description: each === '' ? 'Of this service.' : `Of this service, under the prefix ${each}.`,
    })),
    tags: Object.entries(TAGS)
      .filter(([name]) => used.has(name as Tag))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      ...components.collected(),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'An access token of the OpenID provider, when authentication is on; what each operation lists beside `bearer` is the ' +
            'scope that it needs, and `x-resource` is what the scope must be granted on. When authentication is off, the ' +
            'header is ignored.',
        },
      },
    },
  });
}

function operationOf(route: Route, components: Components, queryParameters: QueryParameters): Json {
  const operation: Json = { operationId: route.operationId, summary: route.summary };
  const texts = [route.description, route.webSocket].filter((text) => text !== undefined);
  if (texts.length > 0) operation['description'] = texts.join('\n\n');
  operation['tags'] = route.tags;
  if (route.access === 'public') operation['security'] = [];
  else {
    operation['security'] = [{ bearer: [route.access.scope] }];
    operation['x-scope'] = route.access.scope;
    operation['x-resource'] = resourceOf(route.access);
  }
  operation['parameters'] = [
    ...pathParameters(route, components),
    ...queryParameters(route),
    ...headerParameters(route, components),
  ];
  if (route.body !== undefined)
    operation['requestBody'] = { required: true, content: contentOf(route.body.content, components) };
  operation['responses'] = { ...successesOf(route, components), ...failuresOf(route, components) };
  return operation;
}

/** Names of resources are those of the auth server: `<type>-<handle>`. */
function resourceOf(access: Requirement<never>): string {
  if (access.on === 'endpoint') return 'endpoint-{endpointId}';
  if (access.on === 'application') return 'application-{app}';
  if (access.on !== 'each') return access.resource;
  return access.resource ?? `${access.scope.split(':')[0]}-<name> of each, one by one`;
}

function successesOf(route: Route, components: Components): Json {
  const responses: Json = {};
  for (const [status, spec] of Object.entries(route.responses)) {
    responses[status] = {
      description: spec.description,
      headers: headersOf(spec.headers ?? [], components),
      ...(spec.schema === undefined ? {} : { content: contentOf(mediaOf(spec, spec.schema), components) }),
    };
  }
  if (route.webSocket !== undefined)
    responses['101'] = {
      description: 'A WebSocket, to a request that asks for one.',
      headers: headersOf([], components),
    };
  if (route.conditional !== undefined && route.method === 'GET') {
    responses['304'] = components.refer('responses', 'NotModified', {
      description: 'Not changed.',
      headers: headersOf(['ETag'], components),
    });
  }
  return responses;
}

function mediaOf(
  { mediaType = 'application/json', example, also }: ResponseSpec,
  schema: MediaSpec['schema'],
): Readonly<Record<string, MediaSpec>> {
  return { [mediaType]: example === undefined ? { schema } : { schema, example }, ...also };
}

function contentOf(content: Readonly<Record<string, MediaSpec>>, components: Components): Json {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example, itemSchema }]) => {
      const media: Json = { schema: components.schema(schema) };
      if (itemSchema !== undefined) media['x-item-schema'] = components.schema(itemSchema);
      if (example !== undefined) media['example'] = example;
      return [type, media];
    }),
  );
}
