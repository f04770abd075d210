import fc from 'fast-check';
import t from 'tap';
import { parseFlawedJson } from '../../src/model/json-flaws.js';

const read = (text: string) => parseFlawedJson(Buffer.from(text, 'utf8'), 4);
const flawsOf = (text: string) => {
  const parsed = read(text);
  return parsed.ok ? parsed.flaws.map(({ path, found }) => `/${path.join('/')} ${found}`) : parsed.fault;
};

void t.test('what strict JSON does not take has a place', (t) => {
  t.same(flawsOf('{"a":[1,{"b":2,"c":3,"b":4}]}'), ['/a/1/b the key a second time']);
  t.same(flawsOf('{"a":{"__proto__":{"x":1}},"b":1}'), ['/a/__proto__ this key, which is reserved']);
  t.same(flawsOf('{"a" : "\\ud800", "b":["\\ude00"], "\\ud83d\\ude00":1}'), [
    '/a half of a surrogate pair',
    '/b/0 half of a surrogate pair',
  ]);
  t.same(flawsOf('[1,12345678901234567890]'), ['/1 the number 12345678901234567890']);
  t.same(flawsOf('{"a":[[[[1]],2]],"b":1}'), ['/a/0/0/0 something deeper']);
  t.same(flawsOf('{"a":{"x":1},"a":{"x":1,"y":"}"},"a":3}'), ['/a the key a second time'], 'a place once');
  t.same(flawsOf(`{"${'n'.repeat(1000)}":1,"${'n'.repeat(1000)}":2}`)[0]?.length, 301 + 22, 'cut');
  t.same(flawsOf(' {"a": [true, null, -1.5e3, "\\"\\\\", {}, []]}\n'), []);
  const parsed = read('{"a":1,"a":2,"__proto__":3}');
  t.same(parsed.ok && Object.entries(parsed.value as object), [
    ['a', 2],
    ['__proto__', 3],
  ]);
  t.end();
});

void t.test('no JSON: where', (t) => {
  const cases: [string, string][] = [
    ['', 'an empty text'],
    [' \n', 'an empty text'],
    ['<html>', 'not JSON (line 1, column 1: found "<", where a value must be)'],
    ['{"a":1,\n "b":}', 'not JSON (line 2, column 6: found "}", where a value must be)'],
    ['{"a":1', 'not JSON (line 1, column 7: found the end, where its rest must be)'],
    ['{"a" 1}', 'not JSON (line 1, column 6: found "1", where ":" must be)'],
    ['{"a":1,}', 'not JSON (line 1, column 8: found "}", where a key must be)'],
    ['[1 2]', 'not JSON (line 1, column 4: found "2", where "," or "]" must be)'],
    ['[1}', 'not JSON (line 1, column 3: found "}", where "," or "]" must be)'],
    ['{} x', 'not JSON (line 1, column 4: found "x", where the end must be)'],
    ['"a\nb"', 'not JSON (line 1, column 3: found "\\n", where the rest of a text must be)'],
    ['"\\x"', 'not JSON (line 1, column 3: found "x", where the rest of a text must be)'],
  ];
  for (const [text, fault] of cases) t.same(flawsOf(text), fault, text);
  t.same(parseFlawedJson(Uint8Array.of(0x22, 0x61, 0xff, 0x22), 4), {
    ok: false,
    fault: 'not UTF-8 text (byte 2)',
  });
  t.end();
});

void t.test('it takes what JSON.parse takes, whatever is done to a text', (t) => {
  const texts = fc
    .tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', '"', ',', '}', ']', '{', '[', ':', '\\', '0', '-', '.', 'e', 'x', '\t'),
    )
    .map(
      ([text, at, put]) =>
        text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1),
    );
  fc.assert(
    fc.property(texts, (text) => {
      let value: unknown;
      let isJson = true;
      try {
        value = JSON.parse(text);
      } catch {
        isJson = false;
      }
      const parsed = parseFlawedJson(Buffer.from(text, 'utf8'), 1);
      if (parsed.ok !== isJson) throw new Error(`${JSON.stringify(text)}: ${JSON.stringify(parsed)}`);
      if (parsed.ok && JSON.stringify(parsed.value) !== JSON.stringify(value)) throw new Error(text);
      if (!parsed.ok && parsed.fault.startsWith('not JSON (') && !/^not JSON \(line /.test(parsed.fault))
        throw new Error(`no place: ${parsed.fault}`);
    }),
    { numRuns: 3000 },
  );
  t.end();
});
