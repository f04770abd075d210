import t from 'tap';
import fc from '../fast-check.js';
import type { JsonValue } from '../../src/model/json.js';
import { jsonEquals } from '../../src/model/json.js';
import { parseStrictJson, parseStrictText } from '../../src/model/strict-json.js';

const parse = (text: string, nesting = 32) => parseStrictJson(Buffer.from(text), nesting);

function faultOf(text: string | Uint8Array, nesting = 32): string {
  const parsed = typeof text === 'string' ? parse(text, nesting) : parseStrictJson(text, nesting);
  return parsed.ok ? 'accepted' : `${parsed.code}: ${parsed.message}`;
}

void t.test('takes JSON as JSON.parse does, and keeps its text', async (t) => {
  const texts = [
    'null',
    ' true ',
    '"a"',
    '0',
    '-1.5e-3',
    '[]',
    '{}',
    '[1,[2,{"a":[]}]]',
    '{"a:b":"c:d","{":"[","\\"":"}\\\\","\\u0041":1}',
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"constructor":1,"toString":2,"hasOwnProperty":3,"":4}',
    '"\\ud83d\\ude00 😀"',
    '\n\t{ "a" :\r 1 }\n',
  ];
  for (const text of texts) {
    const parsed = parse(text);
    t.ok(parsed.ok, text);
    if (!parsed.ok) continue;
    t.same(parsed.value, JSON.parse(text));
    t.equal(parsed.text, text);
  }
});

void t.test('refuses what is not one JSON value', async (t) => {
  for (const text of [
    '',
    '  ',
    '{"a":1} x',
    '1 2',
    '{"a":1',
    '[1,]',
    "{'a':1}",
    'NaN',
    '-',
    '01',
    '1.',
    '.5',
    '+1',
    '0x10',
    'Infinity',
    '"a',
    '"\\x"',
    '"\n"',
    ']]]][[[[',
    '[}',
    '{"a"}',
    '{:1}',
    '\ufeff{}',
    '1e',
    '1-2',
    '--1',
  ])
    t.match(faultOf(text), /^malformed-json: /, JSON.stringify(text));
  t.match(faultOf(''), /empty/);
});

void t.test('refuses keys that are given twice, at any depth, and names them', async (t) => {
  t.match(faultOf('{"a":1,"a":1}'), /"a" appears twice/);
  t.match(faultOf('{"a":1,"\\u0061":2}'), /"a" appears twice/);
  t.match(faultOf('[{"x":{"b":1,"c":[{"d":1,"e":{"d":1},"d":2}]}}]'), /"d" appears twice/);
  t.match(faultOf('{"a:":":","b":"b","a:":1}'), /"a:" appears twice/);
  t.match(faultOf(`{"a"${' '.repeat(100)}:1,"b":2,"a"${' '.repeat(100)}:1}`), /"a" appears twice/);
  t.match(faultOf('{"":1,"":2}'), /"" appears twice/);
  t.match(faultOf('{"1":1,"1":2}'), /"1" appears twice/);
  const long = `{"a":"${'\\"'.repeat(1_000_000)}","b":1,"b":2}`;
  t.match(faultOf(long), /"b" appears twice/, 'after a long text with escapes');
});

void t.test('refuses __proto__ as a key, not as a text', async (t) => {
  t.match(faultOf('{"__proto__":{"a":1}}'), /"__proto__" is not allowed/);
  t.match(faultOf('[{"a":{"__proto__":null}}]'), /"__proto__" is not allowed/);
  t.match(faultOf('{"\\u005f_proto__":1}'), /"__proto__" is not allowed/);
  t.ok(parse('["__proto__"]').ok);
  t.equal(({} as { a?: unknown }).a, undefined);
});

void t.test('refuses lone surrogates, raw and escaped, and invalid UTF-8', async (t) => {
  for (const text of [
    '"\\ud800"',
    '"\\udc00"',
    '"\\ude00\\ud83d"',
    '{"\\ud800":1}',
    '["a\\uD83Da"]',
    '{"a":["\\udfff"]}',
  ])
    t.match(faultOf(text), /surrogate/, text);
  for (const text of ['"\ud800"', '{"\udc00":1}', '["\ud83d"]']) {
    const parsed = parseStrictText(text, 32);
    t.notOk(parsed.ok, JSON.stringify(text));
  }
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
    [0x22, 0xe2, 0x82],
  ])
    t.match(faultOf(Uint8Array.from(bytes)), /UTF-8/, Buffer.from(bytes).toString('hex'));
});

void t.test('takes numbers that a double holds, and refuses the rest', async (t) => {
  const taken = [
    '9007199254740992',
    '9007199254740991',
    '-9007199254740992',
    '0.1',
    '0.10000000000000001',
    '0.1000000000000000000000000',
    '1e21',
    '1E+21',
    '1000000000000000000000',
    '1152921504606847000',
    '1.7976931348623157e308',
    '5e-324',
    '4.9406564584124654e-324',
    '-0',
    '-0.0',
    '0e5',
    '0e999999999',
    '123456789012345',
    '100e-2',
    '50.450000000000003',
    `1${'0'.repeat(300)}`,
    `0.${'0'.repeat(300)}1`,
    '123456789012345680000',
  ];
  for (const text of taken) {
    const parsed = parse(text);
    t.ok(parsed.ok, text.slice(0, 50));
    if (parsed.ok) t.equal(parsed.value, Number(text));
  }
  const refused = [
    '9007199254740993',
    '-9007199254740993',
    '[{"a":9007199254740993}]',
    '1e400',
    '-1e400',
    '1e-400',
    '0.1234567890123456789',
    '1152921504606846977',
    '12345678901234567.5',
    '1.00000000000000000000001',
    '123456789012345678',
    '9.007199254740993e15',
    `0.${'0'.repeat(400)}1`,
    `1${'0'.repeat(400)}`,
  ];
  for (const text of refused) t.match(faultOf(text), /^malformed-json: .*number/i, text.slice(0, 50));
  t.match(
    faultOf('9007199254740993'),
    /9007199254740993.*9007199254740992.*string/,
    'it says what and the remedy',
  );
  // digits that a search for trailing zeros would cross again and again
  t.match(faultOf(`1${'0'.repeat(4_000_000)}1`), /4000002 characters/);
  t.ok(parse('"9007199254740993 1e400"').ok, 'digits in a text are no number');
});

void t.test('counts nesting', async (t) => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  t.ok(parse(nested(32)).ok);
  t.match(faultOf(nested(33)), /^nested-too-deep: .*32/);
  t.match(faultOf('{"a":'.repeat(33) + '1' + '}'.repeat(33)), /^nested-too-deep: /);
  t.ok(parse('["[[[[", "{{{{"]', 1).ok, 'brackets in texts do not count');
  t.ok(parse('[[],[],[]]', 2).ok, 'siblings do not count');
  t.ok(parse('1', 0).ok);
  t.match(faultOf('[]', 0), /^nested-too-deep/);
  t.match(faultOf('['.repeat(1_000_000)), /^nested-too-deep: /);
});

/** Any value of JSON but for lone surrogates and `__proto__`, numbers of all magnitudes among them. */
const anyJson = fc
  .jsonValue({ stringUnit: 'binary', maxDepth: 5 })
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonValue)
  .filter((value) => !JSON.stringify(value).includes('__proto__'));

void t.test('every JSON value is taken as JSON.stringify writes it', async () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      const parsed = parse(JSON.stringify(value), 100);
      return parsed.ok && jsonEquals(parsed.value, value) && jsonEquals(value, parsed.value);
    }),
    { numRuns: 2000 },
  );
});

void t.test('every double is taken with 17 digits, and comes out the same', async () => {
  const double = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(double, (value) => {
      const parsed = parse(String(value));
      return parsed.ok && Object.is(Math.abs(parsed.value as number), Math.abs(value));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(
      double.filter((value) => !Number.isInteger(value)),
      (value) => parse(value.toPrecision(17)).ok,
    ),
    { numRuns: 3000 },
  );
});

void t.test('an integer is taken when it is answered with the same digits', async () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (value) => {
      return parse(String(value)).ok === (String(Number(value)) === String(value));
    }),
    { numRuns: 3000 },
  );
});

void t.test('whatever is taken is what JSON.parse gives, and the rest is refused, never thrown', async () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '"a"',
    '1',
    'e',
    '-',
    ' ',
    'true',
    'null',
    '\\u',
    'd800',
    '"a":1',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      const parsed = parse(text);
      return !parsed.ok || jsonEquals(parsed.value, JSON.parse(text) as JsonValue);
    }),
    { numRuns: 5000 },
  );
});
