import t from 'tap';
import { parseQuery, queryOfMetadataFilter } from '../../src/filters/index.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';

const MISSING = Symbol('missing');

function asks(
  query: JsonObject,
  metadata: JsonObject,
  endpointId = 'e1',
  applicationVersion = 'v1',
): boolean {
  const result = parseQuery(query);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.query.matches({ endpointId, applicationVersion, metadata });
}

/** Asks for `field` of the value of one key, which is an object that holds it, or not. */
function holds(operand: JsonValue, value: JsonValue | typeof MISSING, path = 'field'): boolean {
  const entry: JsonObject = value === MISSING ? {} : { field: value };
  return asks({ metadata: { $elemMatch: { key: 'k', [`value.${path}`]: operand } } }, { k: entry });
}

/** [operand, values that match, values that don't] */
const CASES: [JsonValue, (JsonValue | typeof MISSING)[], (JsonValue | typeof MISSING)[]][] = [
  [5, [5, 5.0, [1, 5]], ['5', true, null, MISSING, [[5]], { a: 5 }]],
  [0, [0, -0], [false, null]],
  [{ $eq: NaN }, [NaN], [0, null]],
  [{ $gte: NaN }, [NaN], [0, Infinity]],
  [{ $gt: NaN }, [], [NaN, 1]],
  [{ $lt: 1 }, [0, -Infinity], [NaN]],
  [null, [null, MISSING, [1, null]], [0, false, '', [], {}]],
  [
    [1, 2],
    [[1, 2], [[1, 2]]],
    [[2, 1], [1, 2, 3], 1, [[[1, 2]]]],
  ],
  [{ a: 1, b: 2 }, [{ a: 1, b: 2 }, [{ a: 1, b: 2 }]], [{ b: 2, a: 1 }, { a: 1 }, { a: 1, b: 2, c: 3 }]],
  [{}, [{}, [{}]], [[], null, MISSING, { a: 1 }]],
  [{ $eq: { $gt: 1 } }, [{ $gt: 1 }], [2]],
  [{ $ne: 5 }, [4, '5', null, MISSING, []], [5, [1, 5]]],
  [{ $ne: null }, [0, []], [null, MISSING, [null]]],
  [{ $gt: 5 }, [6, [1, 6]], [5, '6', true, null, MISSING, [], { a: 6 }]],
  [{ $gt: 'a' }, ['b', 'aa'], ['a', 'A', 5, MISSING]],
  [{ $gt: '\uffff' }, ['\u{10000}'], ['\ue000']],
  [{ $gt: false }, [true], [false, 1]],
  [{ $gte: null }, [null, MISSING, [null]], [0, '']],
  [{ $lte: null }, [null, MISSING], [0]],
  [{ $gt: null }, [], [null, MISSING, 0]],
  [{ $lt: null }, [], [null, MISSING, 0]],
  [{ $gt: [1, 2] }, [[1, 3], [2], [1, 2, 0], ['a'], [[1, 3]]], [[1, 2], [1], [0, 9], 5]],
  [
    { $gt: { a: 1 } },
    [{ a: 2 }, { b: 1 }, { a: 'x' }, { a: 1, b: 0 }],
    [{ a: 1 }, {}, { A: 9 }, { z: null }, 5],
  ],
  [{ $gte: 1, $lte: 2 }, [1, 2, [0, 3]], [0, 3]],
  [{ $in: [1, 'a', null] }, [1, 'a', null, MISSING, [7, 1]], [2, 'b', true, []]],
  [{ $in: [[1], { a: 1, b: 2 }] }, [[1], [[1]], { a: 1, b: 2 }], [1, { b: 2, a: 1 }]],
  [{ $in: [] }, [], [1, MISSING]],
  [{ $nin: [1, null] }, [2, []], [1, null, MISSING, [1, 2]]],
  [{ $nin: [] }, [1, MISSING], []],
  [{ $not: { $gt: 5 } }, [5, 'x', MISSING, []], [6, [1, 6]]],
  [{ $not: { $gt: 1, $lt: 3 } }, [1, 3], [2, [0, 4]]],
  [{ $not: { $not: { $eq: 1 } } }, [1, [1]], [2]],
  [{ $not: { $regex: '^a' } }, ['b', 1, MISSING], ['ab', ['ab']]],
  [{ $exists: true }, [null, 0, [], {}], [MISSING]],
  [{ $exists: false }, [MISSING], [null, 0]],
  [{ $exists: 0 }, [MISSING], [null]],
  [{ $exists: '' }, [1], [MISSING]],
  [{ $type: 'int' }, [5, 5.0, -(2 ** 31), [0.5, 1]], [5.5, 2 ** 31, -0, '5']],
  [{ $type: 'double' }, [5.5, 2 ** 31, 1e300, -0], [5]],
  [{ $type: 16 }, [5], [5.5]],
  [{ $type: 1 }, [5.5], [5]],
  [{ $type: 'number' }, [5, 5.5], ['5', null]],
  [{ $type: ['string', 8] }, ['x', true], [1]],
  [{ $type: 'null' }, [null], [MISSING, 0]],
  [{ $type: 'array' }, [[], [1], [[1]]], [1, {}]],
  [{ $type: 'object' }, [{}, [{}]], [[], null]],
  [{ $type: ['date', 'long', -1, 127] }, [], [1, 'x']],
  [{ $size: 0 }, [[]], [null, MISSING, {}, '']],
  [
    { $size: 2 },
    [
      [1, 2],
      [[], []],
    ],
    [[1], [[1, 2]], 2],
  ],
  [{ $all: [1, 2] }, [[2, 3, 1]], [[1], 1, [[1, 2]]]],
  [{ $all: [1] }, [1, [1]], [[[1]]]],
  [{ $all: [[1, 2]] }, [[1, 2], [[1, 2]]], [[2, 1]]],
  [{ $all: [null] }, [null, MISSING, [null]], [1]],
  [{ $all: [] }, [], [[], 1, MISSING]],
  [{ $all: [{ $elemMatch: { $gt: 5 } }, { $elemMatch: { $lt: 1 } }] }, [[6, 0]], [[6, 3], 6]],
  [{ $elemMatch: { $gt: 1, $lt: 3 } }, [[2]], [2, [0, 4], [], [[2]]]],
  [{ $elemMatch: { a: 1, b: { $gt: 1 } } }, [[{ a: 1, b: 2 }]], [[{ a: 1 }, { b: 2 }], { a: 1, b: 2 }]],
  [{ $elemMatch: { a: null } }, [[{}], [{ a: null }], [[1]]], [[1], [], [{ a: 1 }]]],
  [{ $elemMatch: {} }, [[{}], [[]]], [[1], []]],
  [{ $elemMatch: { $or: [{ a: 1 }, { b: 1 }] } }, [[{ b: 1 }]], [[{ c: 1 }]]],
  [{ $elemMatch: { $elemMatch: { $eq: 1 } } }, [[[1]]], [[1], 1]],
  [{ $elemMatch: { $size: 1 } }, [[[5]]], [[5]]],
  [{ $elemMatch: { $ne: 1 } }, [[2, 1]], [[1], [], 2]],
  [{ $elemMatch: { $in: [[1]] } }, [[[1]]], [[1], [[[1]]]]],
  [{ $elemMatch: { '0': 1 } }, [[[1]], [{ '0': 1 }]], [[1]]],
  [{ $mod: [4, 1] }, [5, 5.9, [0, 1], 1], [4, '5', null, MISSING, NaN, Infinity, 2 ** 63]],
  [{ $mod: [4, -1] }, [-5], [5, 3]],
  [{ $mod: [4.9, 1.9] }, [5], [6]],
  [{ $mod: [-4, 0] }, [8, -8, -0], [9]],
  [{ $regex: 'b' }, ['abc', ['x', 'b']], ['B', 5, null, MISSING, [['b']]]],
  [{ $regex: 'b', $options: 'i' }, ['B'], ['c']],
  [{ $options: 'i', $regex: 'b', $ne: 'b' }, ['B'], ['b']],
];

void t.test('operators', async (t) => {
  for (const [operand, positive, negative] of CASES) {
    const name = (value: JsonValue | typeof MISSING): string =>
      `${JSON.stringify(operand)} on ${value === MISSING ? 'a missing field' : Object.is(value, -0) ? '-0' : JSON.stringify(value)}`;
    for (const value of positive) t.ok(holds(operand, value), name(value));
    for (const value of negative) t.notOk(holds(operand, value), `not ${name(value)}`);
  }
});

void t.test('paths', async (t) => {
  const yes = (path: string, operand: JsonValue, field: JsonValue): void => {
    t.ok(holds(operand, field, path), `${path} ${JSON.stringify(operand)} on ${JSON.stringify(field)}`);
  };
  const no = (path: string, operand: JsonValue, field: JsonValue): void => {
    t.notOk(
      holds(operand, field, path),
      `not ${path} ${JSON.stringify(operand)} on ${JSON.stringify(field)}`,
    );
  };
  yes('field.a', 1, [{ a: 1 }, { b: 2 }]);
  yes('field.a', null, [{ b: 2 }]);
  yes('field.a', null, 5);
  no('field.a', null, [1, 2]);
  no('field.a', null, []);
  yes('field.a', { $exists: false }, []);
  no('field.a', 1, [[{ a: 1 }]]);
  yes('field.a', [1, 2], [{ a: [1, 2] }]);
  yes('field.a', 2, [{ a: [1, 2] }]);
  yes('field.1', 7, [5, 7, 3]);
  no('field.1', 5, [5, 7, 3]);
  no('field.01', 7, [5, 7, 3]);
  // A final position yields the array there whole; it is not entered.
  yes('field.1', [2, 4], [5, [2, 4]]);
  no('field.1', 2, [5, [2, 4]]);
  yes('field.1', { $size: 2 }, [5, [2, 4]]);
  yes('field.1', { $elemMatch: { $eq: 2 } }, [5, [2, 4]]);
  yes('field.1.0', 2, [5, [2, 4]]);
  yes('field.1.a', 4, [5, [{ a: 4 }]]);
  // A number is a position and a name.
  yes('field.1', 4, [5, { '1': 4 }]);
  yes('field.1', { '1': 4 }, [5, { '1': 4 }]);
  yes('field.1', 4, { '1': 4 });
  yes('field.1.b', 4, [5, { b: 4 }]);
  yes('field.0', null, [{ b: 1 }]);
  yes('field.length', null, { a: 1 });
  no('field.length', 1, [1]);
  no('field.constructor', { $exists: true }, {});
});

void t.test('the document', async (t) => {
  const doc = { city: 'Kyiv', temp: [1, 2], constructor: 'x', toString: null };
  t.ok(asks({}, doc));
  t.ok(asks({ endpoint_id: 'e1', application_version: 'v1' }, doc));
  t.notOk(asks({ application_version: 'v2' }, doc));
  t.ok(asks({ application_version: { $in: ['v1'] } }, doc));
  t.ok(asks({ unknown: null, 'other.field': { $exists: false } }, doc), 'an unknown field is missing');
  t.notOk(asks({ unknown: 1 }, doc));
  t.ok(asks({ metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } }, doc));
  t.ok(asks({ metadata: { $elemMatch: { key: 'constructor', value: 'x' } } }, doc));
  t.notOk(asks({ metadata: { $elemMatch: { key: 'constructor' } } }, {}));
  t.notOk(asks({ metadata: { $elemMatch: { key: '__proto__' } } }, {}));
  t.ok(
    asks(
      { metadata: { $elemMatch: { key: '__proto__', value: 1 } } },
      JSON.parse('{"__proto__":1}') as JsonObject,
    ),
  );
  t.ok(asks({ metadata: { $elemMatch: { key: 'toString', value: null } } }, doc));
  t.notOk(asks({ metadata: { $elemMatch: { key: 'gone', value: null } } }, doc), 'no entry, no match');
  t.ok(asks({ metadata: { $elemMatch: { key: { $in: ['gone', 'city'] }, value: 'Kyiv' } } }, doc));
  t.ok(asks({ metadata: { $elemMatch: { $and: [{ key: 'city' }, { value: { $regex: '^K' } }] } } }, doc));
  t.notOk(asks({ metadata: { $elemMatch: { key: 'city', $and: [{ key: 'temp' }] } } }, doc));
  t.ok(asks({ metadata: { $elemMatch: { value: 'Kyiv' } } }, doc));
  t.ok(asks({ 'metadata.key': { $all: ['city', 'temp'] } }, doc));
  t.ok(asks({ 'metadata.value': 2 }, doc));
  t.ok(asks({ metadata: { $size: 4 }, 'metadata.0.key': 'city', 'metadata.1.value.1': 2 }, doc));
  t.ok(asks({ metadata: { key: 'city', value: 'Kyiv' } }, doc), 'an entry, literally');
  t.notOk(asks({ metadata: { value: 'Kyiv', key: 'city' } }, doc));
  t.ok(asks({ metadata: [] }, {}));
  t.ok(asks({ $nor: [{ endpoint_id: 'e2' }, { 'metadata.key': 'gone' }] }, doc));
  t.notOk(asks({ $nor: [{ endpoint_id: 'e2' }, { 'metadata.key': 'city' }] }, doc));
});

void t.test('what a query depends on', async (t) => {
  const of = (query: JsonObject): { keys: string[] | null; version: boolean; id: boolean } => {
    const result = parseQuery(query);
    if (!result.ok) throw new Error(JSON.stringify(result.faults));
    const { keys, usesVersion, usesId } = result.query;
    return { keys: keys && [...keys].sort(), version: usesVersion, id: usesId };
  };
  const entry = (query: JsonObject): JsonObject => ({ metadata: { $elemMatch: query } });
  t.same(of({}), { keys: [], version: false, id: false });
  t.same(of({ application_version: 'v', endpoint_id: 'e' }), { keys: [], version: true, id: true });
  t.same(of({ $or: [entry({ key: 'a', value: 1 }), { $nor: [entry({ key: 'b' })] }] }).keys, ['a', 'b']);
  t.same(of({ metadata: { $not: { $elemMatch: { key: 'a' } } } }).keys, ['a']);
  t.same(of({ metadata: { $all: [{ $elemMatch: { key: 'a' } }, { $elemMatch: { key: 'b' } }] } }).keys, [
    'a',
    'b',
  ]);
  t.same(of(entry({ key: { $in: ['a', 'b'] }, value: 1 })).keys, ['a', 'b']);
  t.same(of({ 'metadata.key': { $nin: ['a'] } }).keys, ['a']);
  for (const query of [
    entry({ value: 1 }),
    entry({ key: { $regex: '^a' } }),
    entry({ key: { $ne: 'a' } }),
    entry({ $or: [{ key: 'a' }, { value: 1 }] }),
    entry({ key: { $in: ['a', 1] } }),
    { metadata: { $size: 1 } },
    { 'metadata.0.key': 'a' },
    { 'metadata.value': { $ne: 1 } },
    { 'metadata.key': { $exists: true } },
    { metadata: { key: 'a', value: 1 } },
    { $and: [entry({ key: 'a' }), { metadata: { $exists: true } }] },
  ]) {
    t.equal(of(query).keys, null, JSON.stringify(query));
  }
});

void t.test('the metadataFilter parameter', async (t) => {
  t.same(queryOfMetadataFilter({ city: 'Kyiv', temp: { $gt: 20 } }), {
    $and: [
      { metadata: { $elemMatch: { key: 'city', value: 'Kyiv' } } },
      { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } },
    ],
  });
  t.ok(asks(queryOfMetadataFilter({}), {}));
  t.ok(asks(queryOfMetadataFilter({ 'a.b': 1 }), { a: { b: 1 } }));
  t.notOk(asks(queryOfMetadataFilter({ 'a.b': 1 }), { a: 1, b: 1 }));
  for (const operand of [null, { $ne: 1 }, { $nin: [1] }, { $exists: false }, { $not: { $gt: 1 } }]) {
    t.ok(asks(queryOfMetadataFilter({ a: operand }), {}), 'as of a missing field');
    t.ok(asks(queryOfMetadataFilter({ 'a.b': operand }), {}));
  }
  for (const operand of [1, { $gt: 1 }, { $exists: true }, { $in: [1] }, { $size: 0 }])
    t.notOk(asks(queryOfMetadataFilter({ a: operand }), {}));
});
