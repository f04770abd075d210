import fc from '../fast-check.js';
import t from 'tap';
import { readPlainItem } from '../../src/gateway/streams/plain-item.js';
import { type JsonObject, isJsonObject } from '../../src/model/json.js';
import { parseStrictJson } from '../../src/model/strict-json.js';

const NESTING = 5;

/** What the strict parser makes of a line, where it is an item of this form. */
function strict(line: string): { endpointId: unknown; setText: string } | undefined {
  const parsed = parseStrictJson(Buffer.from(line), NESTING);
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined;
  return { endpointId: parsed.value['endpointId'], setText: JSON.stringify(parsed.value['set']) };
}

const read = (line: string) => readPlainItem(Buffer.from(line), NESTING);

void t.test('the usual lines are read', async (t) => {
  for (const set of [
    '{}',
    '{"temp":21}',
    '{"temp":-0.000001,"b":"x","c":[],"d":{},"e":[1,{"a":null,"b":[true,false]}]}',
    '{"a":100000000000000,"b":12.3000001,"c":0.5,"d":0}',
  ]) {
    t.strictSame(read(`{"endpointId":"a-1","set":${set}}`), { endpointId: 'a-1', setText: set });
  }
});

void t.test('all else is left to the strict parser', async (t) => {
  const line = (set: string, rest = '') => `{"endpointId":"a-1","set":${set}${rest}}`;
  const numbers = [
    [
      '-0',
      '0.0',
      '1.10',
      '01',
      '1.',
      '.5',
      '-',
      '+1',
      '1e5',
      '1E5',
      '0.0000001',
      '1234567890123456',
      '1.5e3',
    ],
    ['0.1e1', '- 1', '--1', '1-', '0x1', 'NaN', 'Infinity'],
  ].flat();
  for (const value of [
    ...numbers,
    ...[
      '"a',
      '"\\n"',
      '"\t"',
      '"é"',
      '"\u007f"',
      'tru',
      'nul',
      'truex',
      '',
      ' 1',
      '[1,]',
      '[,1]',
      '[1 ]',
      '[',
      ']',
    ],
    ...[
      '{"a":1,"a":2}',
      '{"1":1}',
      '{"__proto__":1}',
      '{"a"}',
      '{"a":}',
      '{a:1}',
      '{"a":1,}',
      '[[[[[1]]]]]',
      '[1}',
    ],
  ]) {
    t.equal(read(line(`{"k":${value}}`)), undefined, value);
  }
  for (const text of [
    line('{"a":1}', ',"unset":["b"]'),
    line('{"a":1}', ',"set":{}'),
    line('[]'),
    line('{"a":1,"a":1}'),
    line('{"7":1}'),
    line('{"a":1,}'),
    line('{"a":1 }'),
    `${line('{"a":1}')} `,
    `${line('{"a":1}')}}`,
    line('{"a":1}').slice(0, -1),
    '{"endpointId":"..","set":{}}',
    '{"endpointId":"","set":{}}',
    '{"endpointId":"a b","set":{}}',
    '{"set":{},"endpointId":"a"}',
    '{"endpointId":"a"}',
    '',
  ]) {
    t.equal(read(text), undefined, text);
  }
});

void t.test('what is read is what the strict parser reads', async (t) => {
  const name = fc.oneof(fc.constantFrom('a', 'b', 'temp', '', '1', '__proto__'), fc.string({ maxLength: 4 }));
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.integer(),
    fc.constantFrom(true, null, 'x', -1.5, 0.000001, [1], [{ a: 1, b: [] }], { b: { c: 2 } }),
  );
  const set = fc.dictionary(name, value, { maxKeys: 6 }).map((object) => object as JsonObject);
  const edit = fc.tuple(
    fc.nat(200),
    fc.constantFrom('', '"', '0', '-', '.', '1', 'e', ',', '}', ']', '{', '\\', ' '),
  );
  let plain = 0;
  fc.assert(
    fc.property(set, fc.option(edit), (object, change) => {
      let line = `{"endpointId":"kettle-1","set":${JSON.stringify(object)}}`;
      if (change !== null) {
        const at = change[0] % line.length;
        line = line.slice(0, at) + change[1] + line.slice(at + 1);
      }
      const item = read(line);
      if (item === undefined) return;
      plain++;
      t.strictSame(item, strict(line), line);
    }),
    { numRuns: 3000 },
  );
  t.ok(plain > 100, `${plain} of them`);
});
