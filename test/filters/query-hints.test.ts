import t from 'tap';
import { hintsOf, type JsonObject, parseQuery } from '../../src/filters/index.js';

const entry = (fields: JsonObject): JsonObject => ({ metadata: { $elemMatch: fields } });

function hints(query: JsonObject) {
  const parsed = parseQuery(query);
  t.ok(parsed.ok, JSON.stringify(query));
  return hintsOf(query);
}

void t.test('a field that no endpoint has is told, with what to write', async (t) => {
  t.same(hints({ temp_c: 3 }), [
    {
      path: '/temp_c',
      message:
        'An endpoint has endpoint_id, application_version and metadata, no "temp_c": "temp_c" counts as missing. If that is a metadata key, write {"metadata": {"$elemMatch": {"key": "temp_c", "value": 3}}}.',
    },
  ]);
  const cases: [query: JsonObject, path: string, message: RegExp][] = [
    [{ 'position.lat': { $gt: 50 } }, '/position.lat', /"key": "position", "value\.lat": \{"\$gt":50\}\}/],
    [{ $or: [{}, { $nor: [{ 'a/b': 1 }] }] }, '/$or/1/$nor/0/a~1b', /no "a\/b"/],
    [{ 'metadata.temp.max': 3 }, '/metadata.temp.max', /\{"key": "temp", "value\.max": 3\}/],
    [{ metadata: { temp: 3 } }, '/metadata', /none equals \{"temp":3\}/],
    [{ metadata: { value: 3, key: 'temp' } }, '/metadata', /none equals/],
    [entry({ temp: 3 }), '/metadata/$elemMatch/temp', /An entry .* write \{"key": "temp", "value": 3\}/],
    [
      { metadata: { $not: { $elemMatch: { $or: [{ key: 'a' }, { x: 1 }] } } } },
      '/metadata/$not/$elemMatch/$or/1/x',
      /no "x"/,
    ],
    [
      { metadata: { $all: [{ $elemMatch: { key: 'a' } }, { $elemMatch: { x: 1 } }] } },
      '/metadata/$all/1/$elemMatch/x',
      /no "x"/,
    ],
    [{ 'application_version.name': 'v1' }, '/application_version.name', /Write "application_version"\./],
    [
      { temp: { $exists: false } },
      '/temp',
      /write \{"\$nor": \[\{"metadata": \{"\$elemMatch": \{"key": "temp"\}\}\}\]\} for/,
    ],
    [
      { 'metadata.temp': { $ne: 3 } },
      '/metadata.temp',
      /"\$nor".* or .*"key": "temp"\}\}\} with a condition/,
    ],
    [{ temp: { $in: [1, null] } }, '/temp', /"\$nor"/],
    [entry({ temp: null }), '/metadata/$elemMatch/temp', /\{"key": "temp"\} with a condition on "value"/],
    [{ long: 'x'.repeat(100) }, '/long', /"value": \.\.\.\}/],
  ];
  for (const [query, path, message] of cases) {
    const found = hints(query);
    t.equal(found.length, 1, JSON.stringify(query));
    t.equal(found[0]?.path, path);
    t.match(found[0]?.message, message);
  }
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 1]));
  t.equal(hints(many).length, 20, 'not without end');
});

void t.test('what an endpoint has is not', async (t) => {
  const right: JsonObject[] = [
    {},
    { application_version: 'v1', endpoint_id: { $in: ['a'] } },
    entry({ key: 'a', value: { x: 1 } }),
    entry({ key: 'a', 'value.x.0': { $elemMatch: { anything: 1 } } }),
    { 'metadata.key': 'a', 'metadata.value.x': 1, 'metadata.0.key': 'a', 'metadata.0': { $exists: true } },
    { metadata: { key: 'a', value: 1 } },
    { metadata: { $size: 0 } },
    { metadata: { $elemMatch: { $exists: true } } },
    { metadata: { $in: [{ key: 'a', value: 1 }] } },
  ];
  for (const query of right) t.same(hints(query), [], JSON.stringify(query));
});
