import fc from '../fast-check.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import type { FilterDocument } from '../../src/filters/index.js';

/** Few keys, names and values, so that random queries often hold of random documents. */
const KEYS = ['city', 'temp', 'sky', 'constructor'];
const NAMES = ['a', 'b'];

/** Paths into an entry, and into the document, beyond which the libraries can't follow. */
const PLAIN_PATHS = {
  entry: ['value', 'value.a', 'value.b', 'value.a.b'],
  element: NAMES,
  document: ['metadata.key', 'metadata.value', 'metadata.value.a'],
};
const WIDE_PATHS = {
  entry: [...PLAIN_PATHS.entry, 'value.0', 'value.1', 'value.0.a', 'value.a.0', 'value.0.0', 'value.0.b.0'],
  element: [...NAMES, '0', '1', 'a.0', '0.a'],
  document: [
    ...PLAIN_PATHS.document,
    'metadata.0',
    'metadata.1.key',
    'metadata.0.value',
    'metadata.value.0',
    'metadata',
  ],
};
type Paths = typeof PLAIN_PATHS;

const scalar: fc.Arbitrary<JsonValue> = fc.constantFrom<JsonValue>(
  null,
  true,
  false,
  0,
  1,
  2,
  -1,
  2.5,
  7,
  2 ** 40,
  '',
  'a',
  'b',
  'ab',
  'Kyiv',
);

const flatObject: fc.Arbitrary<JsonObject> = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), scalar), { maxLength: 2 })
  .map((pairs) => Object.fromEntries(pairs));

/** Arrays of scalars and documents; no array directly in an array. */
export const value: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 2, arbitrary: fc.array(scalar, { maxLength: 3 }) },
  { weight: 2, arbitrary: flatObject },
  { weight: 2, arbitrary: fc.array(fc.oneof(scalar, flatObject), { maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: fc.oneof(flatObject, fc.array(flatObject, { maxLength: 2 })).map((a): JsonObject => ({ a })),
  },
);

/** As `value`, with arrays in arrays and with documents whose names look like positions. */
const wideValue: fc.Arbitrary<JsonValue> = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(tie('any'), { maxLength: 3 }) },
    {
      weight: 2,
      arbitrary: fc
        .array(fc.tuple(fc.constantFrom('a', 'b', '0', '1'), tie('any')), { maxLength: 2 })
        .map((pairs) => Object.fromEntries(pairs)),
    },
  ),
})).any;

function documentOf(value: fc.Arbitrary<JsonValue>): fc.Arbitrary<FilterDocument> {
  const metadata = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), value), {
      selector: ([key]) => key,
      maxLength: KEYS.length,
    })
    .map((pairs): JsonObject => Object.fromEntries(pairs));
  return fc.record({
    endpointId: fc.constantFrom('e1', 'e2'),
    applicationVersion: fc.constantFrom('v1', 'v2'),
    metadata,
  });
}

export const document = documentOf(value);
export const wideDocument = documentOf(fc.oneof(value, wideValue));

/** Operators on a value or a path to one. */
function operators(value: fc.Arbitrary<JsonValue>, paths: Paths, depth: number): fc.Arbitrary<JsonObject> {
  const leaves: fc.Arbitrary<JsonObject>[] = [
    fc
      .tuple(fc.constantFrom('$eq', '$ne', '$gt', '$gte', '$lt', '$lte'), value)
      .map(([name, v]) => ({ [name]: v })),
    fc
      .tuple(fc.constantFrom('$in', '$nin'), fc.array(value, { maxLength: 3 }))
      .map(([name, v]) => ({ [name]: v })),
    fc.boolean().map((v) => ({ $exists: v })),
    fc
      .constantFrom('double', 'string', 'object', 'array', 'bool', 'null', 'int', 'number', 2, 16)
      .map((v) => ({ $type: v })),
    fc.nat(3).map((v) => ({ $size: v })),
    fc.array(scalar, { maxLength: 2 }).map((v) => ({ $all: v })),
    fc.tuple(fc.constantFrom(2, 3, -2), fc.constantFrom(0, 1, -1)).map(([d, r]) => ({ $mod: [d, r] })),
    fc.constantFrom('a', '^a', 'b$', 'A', '^.$', '[ab]{2}').map((v) => ({ $regex: v })),
    fc.constantFrom('A', '^K').map((v) => ({ $regex: v, $options: 'i' })),
    fc.tuple(scalar, scalar).map(([low, high]) => ({ $gte: low, $lte: high })),
  ];
  if (depth === 0) return fc.oneof(...leaves);
  return fc.oneof(
    { weight: 8, arbitrary: fc.oneof(...leaves) },
    { weight: 1, arbitrary: operators(value, paths, depth - 1).map((inner) => ({ $not: inner })) },
    { weight: 1, arbitrary: operators(value, paths, depth - 1).map((inner) => ({ $elemMatch: inner })) },
    { weight: 1, arbitrary: elementQuery(value, paths, depth - 1).map((inner) => ({ $elemMatch: inner })) },
  );
}

function fieldQuery(
  value: fc.Arbitrary<JsonValue>,
  paths: Paths,
  names: readonly string[],
  depth: number,
): fc.Arbitrary<JsonObject> {
  return fc
    .tuple(fc.constantFrom(...names), fc.oneof(value.filter(isPlain), operators(value, paths, depth)))
    .map(([path, operand]) => ({ [path]: operand }));
}

function isPlain(operand: JsonValue): boolean {
  return (
    typeof operand !== 'object' ||
    operand === null ||
    Array.isArray(operand) ||
    Object.keys(operand).length > 0
  );
}

function elementQuery(value: fc.Arbitrary<JsonValue>, paths: Paths, depth: number): fc.Arbitrary<JsonObject> {
  return fc.oneof(
    fieldQuery(value, paths, paths.element, depth),
    fc
      .tuple(fieldQuery(value, paths, ['a'], depth), fieldQuery(value, paths, ['b'], depth))
      .map(([a, b]) => ({ ...a, ...b })),
  );
}

function queryOver(value: fc.Arbitrary<JsonValue>, paths: Paths): fc.Arbitrary<JsonObject> {
  const entryQuery: fc.Arbitrary<JsonObject> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.constantFrom(...KEYS), fieldQuery(value, paths, paths.entry, 2))
        .map(([key, rest]) => ({ key, ...rest })),
    },
    { weight: 1, arbitrary: fc.constantFrom(...KEYS).map((key) => ({ key })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.uniqueArray(fc.constantFrom(...KEYS), { maxLength: 3 }),
          fieldQuery(value, paths, ['value'], 1),
        )
        .map(([keys, rest]) => ({ key: { $in: keys }, ...rest })),
    },
    { weight: 1, arbitrary: fieldQuery(value, paths, ['value'], 1) },
    { weight: 1, arbitrary: fc.constant({ key: { $regex: '^[ct]' } }) },
  );

  const clause: fc.Arbitrary<JsonObject> = fc.oneof(
    { weight: 6, arbitrary: entryQuery.map((inner) => ({ metadata: { $elemMatch: inner } })) },
    { weight: 2, arbitrary: entryQuery.map((inner) => ({ metadata: { $not: { $elemMatch: inner } } })) },
    {
      weight: 1,
      arbitrary: fieldQuery(value, paths, ['application_version', 'endpoint_id', 'unknown.field'], 1),
    },
    { weight: 1, arbitrary: fc.constantFrom('v1', 'v2').map((v) => ({ application_version: v })) },
    { weight: 1, arbitrary: fieldQuery(value, paths, paths.document, 1) },
    { weight: 1, arbitrary: fc.nat(4).map((n) => ({ metadata: { $size: n } })) },
  );

  return fc.oneof(
    { weight: 3, arbitrary: clause },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('$and', '$or', '$nor'), fc.array(clause, { minLength: 1, maxLength: 3 }))
        .map(([name, clauses]) => ({ [name]: clauses })),
    },
  );
}

/** Queries that the libraries understand, but for their deviations. */
export const query = queryOver(value, PLAIN_PATHS);
/** Queries with array positions and arrays in arrays. */
export const wideQuery = queryOver(fc.oneof(value, wideValue), WIDE_PATHS);

/** The document as MongoDB would hold it, and as the oracles see it. */
export function storedForm(doc: FilterDocument): JsonObject {
  return {
    endpoint_id: doc.endpointId,
    application_version: doc.applicationVersion,
    metadata: Object.entries(doc.metadata).map(([key, v]) => ({ key, value: v })),
  };
}
