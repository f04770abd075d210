import fc from '../fast-check.js';
import type { JsonObject } from '../../src/model/json.js';
import type { Wish } from './ask.js';
import {
  type Arb,
  endpoint,
  key,
  matching,
  metadata,
  on,
  reading,
  some,
  token,
  value,
  version,
} from './names.js';
import { relations } from './relation-wishes.js';

const { constantFrom } = fc;

const place = constantFrom(
  '/city',
  '/temp',
  '/sky',
  '/wind',
  '/city/a',
  '/temp/a',
  '/sky/b',
  '/city/0',
  '/temp/1',
  '/locked',
);
const operation: Arb<JsonObject> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(constantFrom('add', 'add', 'replace', 'test'), place, value)
      .map(([op, path, value]) => ({ op, path, value })),
  },
  { weight: 1, arbitrary: place.map((path) => ({ op: 'remove', path })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(constantFrom('move', 'copy'), place, place)
      // not into itself, about which fast-json-patch has another opinion
      .filter(([, from, path]) => !path.startsWith(from) && !/\/1$/.test(path))
      .map(([op, from, path]) => ({ op, from, path })),
  },
);
const mergePatch: Arb<JsonObject> = fc
  .array(fc.tuple(key, fc.oneof(value, constantFrom(null, { a: null }, { a: 1, b: null }))), { maxLength: 3 })
  .map((pairs) => Object.fromEntries(pairs));

/** Requests that change one endpoint, but for its registration. */
export function changesOf(endpoints: Arb<string> = endpoint): fc.WeightedArbitrary<Wish>[] {
  const patch = fc.oneof(
    fc
      .tuple(
        fc.array(operation, { minLength: 1, maxLength: 3 }),
        constantFrom('application/json', 'application/json-patch+json'),
      )
      .map(([body, mediaType]) => ({ body, mediaType })),
    mergePatch.map((body) => ({ body, mediaType: 'application/merge-patch+json' })),
  );
  return [
    {
      weight: 8,
      arbitrary: on(
        'PUT /endpoints/{endpointId}/metadata/{key}',
        fc.record({ key, body: value }),
        matching,
        endpoints,
      ),
    },
    {
      weight: 3,
      arbitrary: on('DELETE /endpoints/{endpointId}/metadata/{key}', fc.record({ key }), matching, endpoints),
    },
    {
      weight: 3,
      arbitrary: on(
        'PUT /endpoints/{endpointId}/metadata',
        metadata.map((body) => ({ body })),
        matching,
        endpoints,
      ),
    },
    { weight: 6, arbitrary: on('PATCH /endpoints/{endpointId}/metadata', patch, matching, endpoints) },
    {
      weight: 3,
      arbitrary: on(
        'PUT /endpoints/{endpointId}/app-version',
        version.map((name) => ({ body: { name } })),
        matching,
        endpoints,
      ),
    },
    { weight: 2, arbitrary: on('DELETE /endpoints/{endpointId}', undefined, matching, endpoints) },
  ];
}

export function readingsOf(endpoints: Arb<string> = endpoint): fc.WeightedArbitrary<Wish>[] {
  const keys = constantFrom(
    {},
    { query: { include: 'city,temp' } },
    { query: { inheritedMetadata: 'true' } },
  );
  return [
    {
      weight: 2,
      arbitrary: on(
        'GET /endpoints/{endpointId}',
        constantFrom({}, { query: { include: 'metadata' } }, { query: { include: 'metadata,filters' } }),
        undefined,
        endpoints,
      ),
    },
    { weight: 3, arbitrary: on('GET /endpoints/{endpointId}/metadata', keys, reading, endpoints) },
    {
      weight: 2,
      arbitrary: on('GET /endpoints/{endpointId}/metadata/{key}', fc.record({ key }), reading, endpoints),
    },
    { weight: 1, arbitrary: on('GET /endpoints/{endpointId}/metadata-keys', undefined, reading, endpoints) },
    { weight: 1, arbitrary: on('GET /endpoints/{endpointId}/app-version', undefined, undefined, endpoints) },
  ];
}

export function registrations(endpoints: Arb<string> = endpoint): Arb<Wish> {
  const names = some({ endpointId: endpoints.map((name) => `<${name}>`), endpointToken: token, metadata });
  const related = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.record({ relations }));
  return fc.tuple(version, names, related).map(([name, rest, relations]) => ({
    route: 'POST /endpoints',
    body: { appVersion: { name }, ...rest, ...relations },
  }));
}
