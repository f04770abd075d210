import fc from '../fast-check.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { query as anyQuery, value as anyValue } from '../filters/random-queries.js';
import type { Wish } from './ask.js';

export type Arb<T> = fc.Arbitrary<T>;
const { constantFrom } = fc;

/** Few names, so that requests meet. What stands in `<>` is a name of the run. */
export const endpoint = constantFrom('e0', 'e0', 'e0', 'e1', 'e1', 'e2', 'e2', 'e3', 'e4', 'e5');
export const token = constantFrom('<t0>', '<t1>', '<t2>');
export const version = fc.oneof(
  { weight: 9, arbitrary: constantFrom('<v1>', '<v1>', '<v1>', '<v2>', '<v2>', '<w1>') },
  { weight: 1, arbitrary: fc.constant('<none>') },
);
export const app = fc.oneof(
  { weight: 9, arbitrary: constantFrom('<a>', '<a>', '<a>', '<b>') },
  { weight: 1, arbitrary: fc.constant('<none>') },
);
export const filter = constantFrom('f0', 'f0', 'f1', 'f1', 'f2');
/** Those that the random queries ask about, one more, one that is restricted, and one that is none. */
export const key = fc.oneof(
  { weight: 16, arbitrary: constantFrom('city', 'temp', 'sky', 'constructor', 'wind', 'rain') },
  { weight: 1, arbitrary: constantFrom('locked', 'bad.key') },
);
/** Often one of those that lists ask for. */
export const value: Arb<JsonValue> = fc.oneof(
  { weight: 1, arbitrary: constantFrom<JsonValue>('Kyiv', 1, '1', 'a', true, 2.5, null) },
  { weight: 1, arbitrary: anyValue },
);
export const metadata: Arb<JsonObject> = fc
  .uniqueArray(fc.tuple(key, value), { selector: ([name]) => name, maxLength: 4 })
  .map((pairs) => Object.fromEntries(pairs));
export const plainMetadata: Arb<JsonObject> = fc
  .uniqueArray(fc.tuple(constantFrom('city', 'temp', 'sky', 'wind'), value), { selector: ([name]) => name })
  .map((pairs) => Object.fromEntries(pairs));
/** The same versions and ids as those of the run. */
export const query: Arb<JsonObject> = anyQuery.map(
  (query) => JSON.parse(JSON.stringify(query).replaceAll(/"([ev][12])"/g, '"<$1>"')) as JsonObject,
);

/** Leaves fields out, often. */
export function some<T extends Record<string, unknown>>(fields: { [K in keyof T]: Arb<T[K]> }): Arb<
  Partial<T>
> {
  return fc.record(fields, { requiredKeys: [] }) as Arb<Partial<T>>;
}

const MALFORMED_TAGS = ['', 'bare', '"a" "b"', "'a'"];

/** An `If-Match` for a change, seldom. */
export function matching(source: string): Arb<Pick<Wish, 'ifMatch' | 'ifNoneMatch' | 'fault'>> {
  const present = `<tag_${source}>`;
  const taken = ['*', present, `<old_${source}>`, `"x", ${present}`, `W/${present}`, `W/"x", "y"`];
  const fault = [400, 'invalid-header'] as const;
  return fc.oneof(
    { weight: 20, arbitrary: fc.constant({}) },
    { weight: 12, arbitrary: constantFrom(...taken, present).map((ifMatch) => ({ ifMatch })) },
    { weight: 1, arbitrary: constantFrom(...MALFORMED_TAGS).map((ifMatch) => ({ ifMatch, fault })) },
    { weight: 1, arbitrary: fc.constant({ ifNoneMatch: '*', fault }) },
  );
}

/** Conditions of a reading. */
export function reading(source: string): Arb<Pick<Wish, 'ifMatch' | 'ifNoneMatch' | 'fault'>> {
  const [present, old] = [`<tag_${source}>`, `<old_${source}>`];
  const taken = ['*', present, old, `"x", W/${present}`, `${old}, "y"`];
  const fault = [400, 'invalid-header'] as const;
  return fc.oneof(
    { weight: 10, arbitrary: fc.constant({}) },
    { weight: 10, arbitrary: constantFrom(...taken).map((ifNoneMatch) => ({ ifNoneMatch })) },
    { weight: 2, arbitrary: constantFrom(present, old).map((ifMatch) => ({ ifMatch })) },
    {
      weight: 2,
      arbitrary: constantFrom(present, old).map((ifMatch) => ({ ifMatch, ifNoneMatch: present })),
    },
    { weight: 1, arbitrary: constantFrom(...MALFORMED_TAGS).map((ifNoneMatch) => ({ ifNoneMatch, fault })) },
  );
}

export type Part = Omit<Wish, 'route' | 'endpointId'>;

/** A request on one of the endpoints. */
export function on(
  route: string,
  part: Arb<Part> = fc.constant({}),
  conditions?: (source: string) => Arb<Part>,
  endpoints: Arb<string> = endpoint,
): Arb<Wish> {
  return endpoints.chain((name) =>
    fc
      .tuple(part, conditions === undefined ? fc.constant({}) : conditions(name))
      .map(([fields, headers]) => ({ route, endpointId: `<${name}>`, ...fields, ...headers })),
  );
}

/** Some of them under one of two idempotency keys. */
export function keyed(wishes: Arb<Wish>): Arb<Wish> {
  const key = fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: constantFrom({ idempotencyKey: '<k0>' }, { idempotencyKey: '<k1>' }) },
  );
  return fc
    .tuple(wishes, key)
    .map(([wish, key]) => (wish.mediaType === 'application/x-ndjson' ? wish : { ...wish, ...key }));
}
