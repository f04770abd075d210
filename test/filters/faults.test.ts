import t from 'tap';
import { DEFAULT_QUERY_LIMITS, parseQuery, type QueryFault } from '../../src/filters/index.js';
import type { JsonObject, JsonValue } from '../../src/model/json.js';

function faultsOf(query: JsonValue): QueryFault[] {
  const result = parseQuery(query);
  return result.ok ? [] : result.faults;
}

const under = (operators: JsonValue): JsonObject => ({
  metadata: { $elemMatch: { key: 'k', value: operators } },
});
const VALUE = '/metadata/$elemMatch/value';

/** [query, path of its one fault, what the message says] */
const FAULTS: [JsonValue, string, RegExp][] = [
  [[], '', /must be an object.*empty array/],
  ['x', '', /must be an object/],
  [null, '', /must be an object/],
  ...['$where', '$expr', '$function', '$jsonSchema', '$text', '$comment', '$foo'].map(
    (name): [JsonValue, string, RegExp] => [
      { [name]: 'x' },
      `/${name}`,
      new RegExp(`"\\${name}" is not supported.*\\$elemMatch`),
    ],
  ),
  ...['$near', '$geoWithin', '$bitsAllSet', '$where', '$ref', '$foo'].map(
    (name): [JsonValue, string, RegExp] => [
      under({ [name]: 1 }),
      `${VALUE}/${name}`,
      new RegExp(`"\\${name}" is not supported.*\\$elemMatch`),
    ],
  ),
  [{ _id: 'e' }, '/_id', /endpoint_id/],
  [{ $or: [{ '_id.x': 1 }] }, '/$or/0/_id.x', /endpoint_id/],
  [under({ $gt: 1, b: 2 }), VALUE, /can't be mixed.*|"b"/],
  [under({ b: 2, $gt: 1 }), VALUE, /can't be mixed/],
  [{ metadata: { $elemMatch: { key: 'k', $gt: 1 } } }, '/metadata/$elemMatch', /can't be mixed/],
  [{ $gt: 1 }, '/$gt', /under a field/],
  [{ $not: { a: 1 } }, '/$not', /\$nor/],
  [under({ $and: [{ $gt: 1 }] }), `${VALUE}/$and`, /can't stand under a field/],
  [{ $and: [] }, '/$and', /nonempty array/],
  [{ $or: {} }, '/$or', /nonempty array/],
  [{ $nor: [1] }, '/$nor/0', /query object, not the number 1/],
  [under({ $in: 5 }), `${VALUE}/$in`, /needs an array/],
  [under({ $nin: {} }), `${VALUE}/$nin`, /needs an array/],
  [under({ $in: [{ $gt: 1 }] }), `${VALUE}/$in/0`, /\$gt/],
  [under({ $not: {} }), `${VALUE}/$not`, /empty object/],
  [under({ $not: 5 }), `${VALUE}/$not`, /\$ne/],
  [under({ $not: { b: 1 } }), `${VALUE}/$not`, /can't be mixed|plain/],
  [under({ $size: -1 }), `${VALUE}/$size`, /whole number/],
  [under({ $size: 1.5 }), `${VALUE}/$size`, /whole number/],
  [under({ $size: '1' }), `${VALUE}/$size`, /whole number/],
  [under({ $type: 'foo' }), `${VALUE}/$type`, /"foo".*double/],
  [under({ $type: 0 }), `${VALUE}/$type`, /\$exists/],
  [under({ $type: 1.5 }), `${VALUE}/$type`, /1\.5/],
  [under({ $type: [] }), `${VALUE}/$type`, /at least one/],
  [under({ $type: 'constructor' }), `${VALUE}/$type`, /constructor/],
  [under({ $mod: 2 }), `${VALUE}/$mod`, /array of two/],
  [under({ $mod: [2] }), `${VALUE}/$mod`, /array of two/],
  [under({ $mod: [2, 0, 1] }), `${VALUE}/$mod`, /array of two/],
  [under({ $mod: [0, 1] }), `${VALUE}/$mod`, /can't be 0/],
  [under({ $mod: [0.9, 1] }), `${VALUE}/$mod`, /can't be 0/],
  [under({ $mod: ['2', 1] }), `${VALUE}/$mod`, /64 bits/],
  [under({ $mod: [1e300, 1] }), `${VALUE}/$mod`, /64 bits/],
  [under({ $all: 1 }), `${VALUE}/$all`, /needs an array/],
  [under({ $all: [{ $gt: 1 }] }), `${VALUE}/$all/0`, /\$gt/],
  [under({ $all: [{ $elemMatch: {} }, 1] }), `${VALUE}/$all/1`, /must be one too/],
  [under({ $elemMatch: 1 }), `${VALUE}/$elemMatch`, /needs an object/],
  [under({ $elemMatch: [] }), `${VALUE}/$elemMatch`, /needs an object/],
  [under({ $regex: 1 }), `${VALUE}/$regex`, /needs a string/],
  [under({ $regex: '(' }), `${VALUE}/$regex`, /not accepted/],
  [under({ $regex: 'a', $options: 'g' }), `${VALUE}/$regex`, /"g"/],
  [under({ $regex: 'a', $options: 1 }), `${VALUE}/$regex`, /\$options needs a string/],
  [under({ $options: 'i' }), `${VALUE}/$options`, /needs a \$regex/],
  [under({ $regex: 'é'.repeat(513) }), `${VALUE}/$regex`, /1026 bytes, 1024/],
  [{ 'a/b~c': { $foo: 1 } }, '/a~1b~0c/$foo', /\$foo/],
  [{ [new Array(300).fill('a').join('.')]: 1 }, `/${new Array(300).fill('a').join('.')}`, /300 components/],
];

void t.test('each fault is told with its place and its remedy', async (t) => {
  for (const [query, path, message] of FAULTS) {
    const faults = faultsOf(query);
    t.equal(faults.length, 1, JSON.stringify(query).slice(0, 80));
    t.equal(faults[0]?.path, path);
    t.match(faults[0]?.message, message);
  }
});

void t.test('all faults are told, not only the first', async (t) => {
  const faults = faultsOf({ $and: [{ $where: '1' }, under({ $size: -1, $foo: 1 }), { _id: 1 }], $or: [] });
  t.same(
    faults.map(({ path }) => path),
    ['/$and/0/$where', `/$and/1${VALUE}/$size`, `/$and/1${VALUE}/$foo`, '/$and/2/_id', '/$or'],
  );
  t.equal(faultsOf({ $or: new Array<JsonValue>(5000).fill(1) }).length, 100, 'but not without end');
});

function nested(levels: number): JsonObject {
  let query: JsonObject = { application_version: 'v1' };
  for (let i = 1; i < levels; i++) query = { $and: [query] };
  return query;
}

void t.test('limits', async (t) => {
  t.same(faultsOf(nested(32)), []);
  t.match(faultsOf(nested(33)), [{ path: '/$and/0'.repeat(32), message: /deeper than 32/ }]);
  t.equal(faultsOf(nested(100_000)).length, 1, 'however deep');
  let literal: JsonValue = 1;
  for (let i = 0; i < 31; i++) literal = [literal];
  t.same(faultsOf({ a: literal }), []);
  t.equal(faultsOf({ a: [literal] }).length, 1, 'values count too');
  t.equal(faultsOf({ a: { $not: { $in: [1, [literal]] } } }).length, 1);
  const many = (count: number): JsonObject => ({ $or: new Array<JsonValue>(count).fill({ a: 1 }) });
  t.same(faultsOf(many(1000)), []);
  t.match(faultsOf(many(1001)), [{ path: '', message: /1001 conditions, 1000/ }]);
  t.equal(faultsOf({ $or: new Array<JsonValue>(1001).fill({}) }).length, 1, 'empty queries count');
  t.equal(faultsOf({ a: { $all: new Array<JsonValue>(1001).fill(1) } }).length, 1, 'elements of $all count');
  t.same(faultsOf({ a: { $in: new Array<JsonValue>(5000).fill(1) } }), [], '$in is one condition');
  const entries = (count: number): JsonObject => ({
    $or: new Array<JsonValue>(count).fill({
      metadata: { $elemMatch: { key: 'a', value: { $not: { $gt: 1 } } } },
    }),
  });
  t.same(faultsOf(entries(500)), []);
  t.match(faultsOf(entries(501)), [
    { message: /1002 conditions.* a metadata key and one on its value are two/ },
  ]);
  t.equal(parseQuery({ a: 1, b: 1 }, { ...DEFAULT_QUERY_LIMITS, maxConditions: 1 }).ok, false);
  const patterns = (count: number): JsonValue => ({
    $or: Array.from({ length: count }, (_, i) => ({ a: { $not: { $regex: `^a[${i}]` } } })),
  });
  t.same(faultsOf(patterns(100)), []);
  t.match(faultsOf(patterns(101)), [
    { path: '', message: /has 101 regular expressions, 100 are allowed; split/ },
  ]);
  const { maxDepth, maxConditions, maxPatternBytes } = DEFAULT_QUERY_LIMITS;
  t.equal(parseQuery(patterns(101), { maxDepth, maxConditions, maxPatternBytes }).ok, true);
});
