import type { Wish } from './ask.js';

const e = { endpointId: '<e1>' };
const registering = (rest: object): Pick<Wish, 'route' | 'body'> => ({
  route: 'POST /endpoints',
  body: { appVersion: { name: '<v1>' }, ...rest },
});
const metadata = '/endpoints/{endpointId}/metadata';
const filters = '/applications/{app}/filters';
const where = { $where: 'true' };

/** Requests whose form is wrong: refused whatever is stored, and nothing changes. */
export const MALFORMED: readonly Wish[] = (
  [
    [400, 'invalid-body', { route: 'POST /endpoints', body: {} }],
    [400, 'invalid-body', { route: 'POST /endpoints', body: { appVersion: { name: 'UPPER' } } }],
    [400, 'invalid-body', registering({ more: 1 })],
    [400, 'invalid-body', registering({ endpointId: 'a/b' })],
    [400, 'invalid-body', registering({ endpointToken: 'a.b' })],
    [400, 'invalid-body', registering({ metadata: [] })],
    [400, 'malformed-json', { route: 'POST /endpoints', text: '{"appVersion":' }],
    [415, 'unsupported-media-type', { ...registering({}), mediaType: 'text/plain' }],
    [400, 'unknown-parameter', { route: 'GET /endpoints', query: { what: '1' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { limit: '0' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { sort: 'token' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { include: 'token' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { metadataFilter: '{"a":{"$where":1}}' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { multiFilter: '(', regex: 'true' } }],
    [400, 'invalid-parameter', { route: 'GET /endpoints', query: { cursor: 'x' } }],
    [400, 'invalid-body', { route: 'POST /endpoints/search', body: { limit: 0 } }],
    [400, 'invalid-query', { route: 'POST /endpoints/search', body: { query: where } }],
    [400, 'invalid-body', { route: 'POST /endpoints/delete', body: { endpointIds: '<e1>' } }],
    [
      400,
      'invalid-body',
      { route: 'POST /endpoints/batch', body: { appVersion: { name: '<v1>' }, endpoints: [] } },
    ],
    [
      404,
      'task-not-found',
      { route: 'GET /endpoints/batch/status', query: { appName: '<a>', taskId: 'none' } },
    ],
    [400, 'invalid-body', { route: 'POST /endpoints/metadata/batch', body: {} }],
    [400, 'invalid-endpoint-id', { route: 'GET /endpoints/{endpointId}', endpointId: 'a b' }],
    [405, 'method-not-allowed', { route: 'PUT /endpoints/{endpointId}', ...e, body: {} }],
    [404, 'not-found', { route: 'GET /endpoint', ...e }],
    [
      400,
      'invalid-body',
      { route: 'PUT /endpoints/{endpointId}/app-version', ...e, body: { version: '<v1>' } },
    ],
    [400, 'invalid-body', { route: `PUT ${metadata}`, ...e, body: [] }],
    [400, 'malformed-json', { route: `PUT ${metadata}`, ...e, text: '{"a":1,"a":2}' }],
    [400, 'invalid-body', { route: `PATCH ${metadata}`, ...e, body: { a: 1 } }],
    [400, 'invalid-body', { route: `PATCH ${metadata}`, ...e, body: [{ op: 'jump', path: '/city' }] }],
    [
      400,
      'invalid-body',
      { route: `PATCH ${metadata}`, ...e, body: [], mediaType: 'application/merge-patch+json' },
    ],
    [415, 'unsupported-media-type', { route: `PATCH ${metadata}`, ...e, body: {}, mediaType: 'text/json' }],
    [400, 'malformed-json', { route: `PUT ${metadata}/{key}`, ...e, key: 'city', text: '' }],
    [400, 'malformed-json', { route: `PUT ${metadata}/{key}`, ...e, key: 'city', text: '"\\ud800"' }],
    [400, 'malformed-json', { route: `PUT ${metadata}/{key}`, ...e, key: 'city', text: '9007199254740993' }],
    [400, 'invalid-query', { route: `POST ${filters}`, app: '<a>', body: { name: 'f1', mongoQuery: where } }],
    [400, 'invalid-body', { route: `POST ${filters}`, app: '<a>', body: { name: 'f1' } }],
    [400, 'invalid-query', { route: `POST ${filters}/preview`, app: '<a>', body: { mongoQuery: where } }],
    [400, 'invalid-body', { route: `PATCH ${filters}/{id}`, app: '<a>', id: 'none', body: { id: 'x' } }],
  ] satisfies [number, string, Wish][]
).map(([status, code, wish]) => ({ ...wish, fault: [status, code] }));
