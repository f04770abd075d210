import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer, Harness } from './harness.js';

export type Json = Record<string, unknown>;

export interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
  'x-item-schema'?: object;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description: string;
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

export interface DocumentedResponse {
  description: string;
  headers: Record<string, { schema: object; example?: unknown; required?: boolean }>;
  content?: Record<string, Media>;
}

/** An operation with everything that it refers to in its place, but for schemas. */
export interface Operation {
  /** `GET /endpoints/{endpointId}` */
  name: string;
  method: string;
  /** under /api/v1, with names in braces */
  path: string;
  operationId: string;
  summary: string;
  tags: string[];
  security: Record<string, string[]>[];
  'x-scope'?: string;
  'x-resource'?: string;
  parameters: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, DocumentedResponse>;
}

/** The OpenAPI document that a service answers, and what can be asked of it. */
export interface Described {
  document: Json;
  operations: Operation[];
  /** What is wrong with a value by a schema of the document, in words. */
  faults: (schema: object, value: unknown) => string[];
  /** Where the document does not have an answer: its status, code, headers, media type and body. */
  undocumented: (operation: Operation, answer: Answer) => string[];
}

export async function readDescribed(h: Pick<Harness, 'call'>): Promise<Described> {
  const document = (await h.call('GET', '/openapi.json')).json as Json;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  ajv.addFormat('uri', (text) => URL.canParse(text));
  ajv.addSchema(document, 'document');
  const compiled = new Map<object, ValidateFunction>();

  function faults(schema: object, value: unknown): string[] {
    let validate = compiled.get(schema);
    if (validate === undefined) {
      const text = JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/');
      compiled.set(schema, (validate = ajv.compile(JSON.parse(text) as object)));
    }
    return validate(value) ? [] : (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message}`);
  }

  function follow<T>(value: T): T {
    const { $ref } = value as { $ref?: string };
    if ($ref === undefined) return value;
    return $ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, name) => (at as Json)[name], document) as T;
  }

  const operations = Object.entries(document['paths'] as Record<string, Record<string, Operation>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, operation]): Operation => {
        const responses = Object.entries(operation.responses).map(([status, response]) => {
          const followed = follow(response);
          const headers = Object.entries(followed.headers).map(([name, each]) => [name, follow(each)]);
          return [
            status,
            { ...followed, headers: Object.fromEntries(headers) as DocumentedResponse['headers'] },
          ];
        });
        return {
          ...operation,
          name: `${method.toUpperCase()} ${path}`,
          method: method.toUpperCase(),
          path,
          parameters: operation.parameters.map(follow),
          responses: Object.fromEntries(responses) as Operation['responses'],
        };
      }),
  );

  function undocumented(operation: Operation, answer: Answer): string[] {
    const response = operation.responses[answer.status];
    if (response === undefined) return [`${answer.status} ${answer.text.slice(0, 200)}`];
    const found: string[] = [];
    for (const [name, { schema }] of Object.entries(response.headers)) {
      const value = answer.headers.get(name);
      if (value === null) found.push(`${answer.status} without ${name}`);
      else found.push(...faults(schema, value).map((fault) => `${answer.status} ${name}: ${fault}`));
    }
    const type = answer.headers.get('content-type');
    if (response.content === undefined)
      return answer.text === '' ? found : [...found, `${answer.status}: a body`];
    const media = response.content[type ?? ''];
    if (media === undefined) return [...found, `${answer.status} as ${type}`];
    const item = media['x-item-schema'];
    const values =
      item === undefined
        ? [{ schema: media.schema, value: answer.json as unknown }]
        : answer.text
            .split('\n')
            .flatMap((line) =>
              line.trim() === '' ? [] : [{ schema: item, value: JSON.parse(line) as unknown }],
            );
    for (const { schema, value } of values)
      found.push(
        ...faults(schema, value).map(
          (fault) => `${answer.status} body: ${fault}: ${answer.text.slice(0, 200)}`,
        ),
      );
    return found;
  }

  return { document, operations, faults, undocumented };
}
