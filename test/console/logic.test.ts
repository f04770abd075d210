import t from 'tap';
import { createApi } from '../../src/console/api.js';
import { describeEvent } from '../../src/console/event-text.js';
import {
  cut,
  formatAge,
  formatCell,
  formatCount,
  formatJson,
  formatNumber,
  formatShare,
  formatValue,
} from '../../src/console/format.js';
import { jsonFault } from '../../src/console/json-fault.js';
import { lineOf, placeOf } from '../../src/console/json-place.js';
import { changedKeys, sameJson, valueAt } from '../../src/console/metadata-edit.js';
import { inWords } from '../../src/console/fault-words.js';
import { createRates } from '../../src/console/rates.js';
import { parseRoute, routeHref } from '../../src/console/route.js';
import { createEventReader } from '../../src/console/sse.js';

void t.test('what the service refuses by a pattern is said in words', async (t) => {
  t.equal(
    inWords('The metadata key "a b" is not allowed; a key matches ^[a-zA-Z0-9_]+$.'),
    'The metadata key "a b" is not allowed; a key has only characters out of: a-z A-Z 0-9 _.',
  );
  t.equal(
    inWords('/endpointId: must match pattern "^[a-zA-Z0-9._~-]{1,256}$"; found "a b".'),
    '/endpointId: must have 1 to 256 characters out of: a-z A-Z 0-9 . _ ~ -; found "a b".',
  );
  t.equal(inWords('matches ^(a|b)$'), 'matches ^(a|b)$', 'others stay');
});

void t.test('rates: silence is 0, absence is a gap, and what is old is gone', async (t) => {
  const rates = createRates(5);
  t.equal(rates.recent(100, 3), undefined, 'nothing was listened to');
  rates.open(100);
  rates.add(100, { updates: 2, matches: 1 });
  rates.add(100, { updates: 3, matches: 0 });
  rates.add(102, { updates: 4, matches: 4 });
  t.same(rates.series(103), [
    [98, 99, 100, 101, 102],
    [null, null, 5, 0, 4],
    [null, null, 1, 0, 4],
  ]);
  t.same(rates.recent(103, 2), { updates: 2, matches: 2 });
  rates.add(96, { updates: 9, matches: 9 });
  t.same(rates.recent(103, 2), { updates: 2, matches: 2 }, 'what is older than the window takes no place');
  t.same(rates.recent(103, 10), { updates: 3, matches: 5 / 3 }, 'only what was listened to');
  rates.close(103);
  t.same(rates.series(106)[1], [0, 4, 0, null, null]);
  rates.open(106);
  t.same(rates.series(108)[1], [0, null, null, 0, 0]);
  t.same(rates.series(1000)[1], [0, 0, 0, 0, 0], 'a page that slept, the ring was round many times');
});

void t.test('events are read from pieces of any size', async (t) => {
  const text =
    ': welcome\n\nid: k.1.registered\nevent: registered\ndata: {"a":1}\n\n: heartbeat\n\nevent: ep-matched\ndata: {"b":"x: y"}\n\n';
  const expected = [
    { id: 'k.1.registered', type: 'registered', data: '{"a":1}' },
    { id: undefined, type: 'ep-matched', data: '{"b":"x: y"}' },
  ];
  for (const size of [1, 2, 7, text.length]) {
    const reader = createEventReader();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...reader.read(text.slice(at, at + size)));
    t.same(events, expected, `pieces of ${size}`);
  }
});

void t.test('a place in a query by its JSON pointer', async (t) => {
  const text =
    '{\n  "$and": [\n    {"a~/b": {"$gt": 20, "x": "}\\""}},\n    {"c": [1, {"$foo": true}]}\n  ]\n}';
  const at = (pointer: string): string => {
    const place = placeOf(text, pointer)!;
    return text.slice(place.start, place.end);
  };
  t.equal(at(''), text);
  t.equal(at('/$and/0/a~0~1b/$gt'), '"$gt": 20');
  t.equal(at('/$and/0/a~0~1b/x'), '"x": "}\\""');
  t.equal(at('/$and/1/c/1/$foo'), '"$foo": true');
  t.equal(at('/$and/1/c/0'), '1');
  t.equal(at('/$and/1/nowhere/deep'), '{"c": [1, {"$foo": true}]}', 'the last on the way');
  t.equal(placeOf('{"a"', '/a'), undefined);
  t.same(lineOf(text, placeOf(text, '/$and/1/c')!.start), { line: 4, column: 6 });
});

void t.test('what is wrong with JSON, and where', async (t) => {
  t.equal(jsonFault('{"a": [1, 2]}'), undefined);
  t.match(jsonFault('  '), { message: /Nothing/ });
  for (const [text, what, line, column] of [
    ['{"a": Kyiv}', '"Kyiv" is no value; text is written in quotes', 1, 7],
    ['Kyiv', '"Kyiv" is no value; text is written in quotes', 1, 1],
    ['01', '"01" is no value; text is written in quotes', 1, 1],
    ['{\n"a": 1,\n}', 'a key in quotes is expected, not "}"', 3, 1],
    ['[1, ]', '"]" is no value; text is written in quotes', 1, 5],
    ['{"a": 1', '"}" is missing at the end', 1, 8],
    ['{"a": [1, {"b": 2}', '"]" is missing at the end', 1, 19],
    ['{"a" 1}', '":" is missing before "1"', 1, 6],
    ['{"a": 1 "b": 2}', 'a comma or "}" is missing before """', 1, 9],
    ['{a: 1}', 'a key in quotes is expected, not "a"', 1, 2],
    ['{"a": "x}', 'this text does not end, or holds what must be escaped', 1, 7],
    ['1 2', '"2" stands after the end', 1, 3],
    ['{"a":', '"}" is missing at the end', 1, 6],
    ['[1}', 'a comma or "]" is missing before "}"', 1, 3],
    ['[]]', '"]" stands after the end', 1, 3],
  ] as const)
    t.equal(jsonFault(text)?.message, `Not JSON: ${what} (line ${line}, column ${column}).`, text);
});

void t.test('metadata is compared as JSON', async (t) => {
  t.ok(sameJson({ a: [1, { b: null }], c: 'x' }, { c: 'x', a: [1, { b: null }] }));
  for (const [a, b] of [
    [{ a: 1 }, { a: 1, b: 2 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [null, undefined],
    ['1', 1],
    [{ constructor: 1 }, { a: 1 }],
  ] as const)
    t.notOk(sameJson(a as never, b as never), JSON.stringify([a, b]));
  t.equal(valueAt({}, 'constructor'), undefined, 'inherited is not there');
  t.same(changedKeys({ a: 1, b: 2, c: 3 }, { a: 1, b: 4, constructor: 5 }), ['b', 'c', 'constructor']);
});

void t.test('addresses', async (t) => {
  const odd = 'a/b?c#d %';
  t.same(parseRoute(routeHref(['endpoints', odd], { text: 'x&y=z', none: '', not: undefined })), {
    path: ['endpoints', odd],
    params: { text: 'x&y=z' },
  });
  t.same(parseRoute(''), { path: [], params: {} });
  t.same(parseRoute('#/fleet/%zz'), { path: ['fleet', '%zz'], params: {} });
});

void t.test('numbers, ages and values', async (t) => {
  t.equal(formatNumber(1234567), '1,234,567');
  t.equal(formatNumber(2.345), '2.3');
  t.equal(formatNumber(22.7), '23');
  t.equal(formatCount(1, 'endpoint'), '1 endpoint');
  t.equal(formatCount(2000, 'endpoint'), '2,000 endpoints');
  t.equal(formatShare(0), '0%');
  t.equal(formatShare(0.00001), '< 0.1%');
  t.equal(formatShare(0.99999), '> 99.9%');
  t.equal(formatShare(1), '100%');
  t.equal(formatAge(0, 3 * 86_400_000), '3 d ago');
  t.equal(formatAge(1000, 61_000), '1 min ago');
  t.equal(formatAge(1000, 0), 'just now', 'a clock that is ahead');
  t.equal(formatValue('x'.repeat(9), 5), '"xxxx…');
  t.equal(formatCell('x'), 'x');
  t.equal(formatCell(['x']), '["x"]');
  t.equal(cut('ab\u{1f600}', 3), 'ab…', 'never through a surrogate pair');
});

void t.test('JSON for people: what fits into a line stands in one', async (t) => {
  const condition = (key: string) => ({ $elemMatch: { key, value: { $gt: 1 } } });
  const query = { $and: [condition('a'), condition('b')], empty: { list: [], object: {} } };
  const text = formatJson(query);
  t.same(JSON.parse(text), query);
  t.equal(
    text,
    `{
  "$and": [
    { "$elemMatch": { "key": "a", "value": { "$gt": 1 } } },
    { "$elemMatch": { "key": "b", "value": { "$gt": 1 } } }
  ],
  "empty": { "list": [], "object": {} }
}`,
  );
  t.equal(formatJson('x'.repeat(100)), `"${'x'.repeat(100)}"`);
});

void t.test('events in words', async (t) => {
  const updated = {
    endpointId: 'k1',
    application: 'demo',
    added: { a: '"x"' },
    updated: { b: { oldValue: '1', newValue: '2' } },
    removed: { c: '3' },
  };
  t.equal(describeEvent('metadata-updated', JSON.stringify(updated)).text, 'b 1 → 2, +a "x", −c');
  const many = {
    endpointId: 'k1',
    added: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, '1'])),
  };
  t.match(describeEvent('metadata-updated', JSON.stringify(many)).text, /k5 1, and 3 more$/);
  t.match(
    describeEvent('ep-matched', '{"endpointId":"k1","application":"demo","filterId":"f","filterName":null}'),
    {
      text: 'now matches',
      filter: { id: 'f', name: 'f' },
    },
  );
  t.match(describeEvent('registered', '{'), { text: /can not be read/ });
});

void t.test('a service that is away is a fault, not a throw', async (t) => {
  const api = createApi(new URL('http://127.0.0.1:1/api/v1/'));
  const answer = await api.request({ method: 'POST', path: 'endpoints', body: {} });
  t.match(answer, { ok: false, fault: { status: 0, code: 'unreachable', retryAfterMs: Number } });
});
