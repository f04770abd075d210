import fc from '../fast-check.js';
import t from 'tap';
import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { MetadataText } from '../../src/model/metadata-text.js';

const key = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'temp',
    '',
    '1',
    '07',
    'a"b',
    'a\\b',
    'constructor',
    '__proto__',
    'é',
    '\u0001',
    '{,}',
  ),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);
const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
/** As the service has them: out of JSON.parse, `__proto__` a key like others. */
const metadata = fc
  .array(fc.tuple(key, value), { maxLength: 8 })
  .map((entries) => JSON.parse(JSON.stringify(Object.fromEntries(entries))) as JsonObject);

void t.test('values and keys are those of the parsed text', async (t) => {
  fc.assert(
    fc.property(metadata, key, (object, other) => {
      const text = new MetadataText(JSON.stringify(object));
      t.strictSame(text.keys(), Object.keys(object));
      for (const name of [...Object.keys(object), other]) {
        const known = Object.hasOwn(object, name);
        t.equal(JSON.stringify(text.value(name)), known ? JSON.stringify(object[name]) : undefined);
        t.equal(text.valueText(name), known ? JSON.stringify(object[name]) : undefined);
      }
      t.equal(JSON.stringify(text.object()), JSON.stringify(object));
    }),
    { numRuns: 300 },
  );
});

void t.test(
  'a change makes the text that JSON.stringify writes, and leaves the one before as it was',
  async (t) => {
    let direct = 0;
    fc.assert(
      fc.property(metadata, metadata, fc.boolean(), (before, changes, asked) => {
        const text = new MetadataText(JSON.stringify(before));
        // what was parsed already may not show in what comes after
        if (asked) for (const name of Object.keys(before)) text.value(name);
        const names = Object.keys(changes);
        const updated = names.filter((name) => Object.hasOwn(before, name));
        const added = names.filter((name) => !Object.hasOwn(before, name));
        const after = text.with(updated, added, (name) => JSON.stringify(changes[name]));
        const expected = JSON.parse(JSON.stringify(before)) as JsonObject;
        for (const name of names)
          Object.defineProperty(expected, name, {
            value: changes[name],
            configurable: true,
            enumerable: true,
            writable: true,
          });
        if (after === undefined) {
          t.ok(
            added.some((name) => /^\d/.test(name)),
            'only names of array positions are too much',
          );
          return;
        }
        direct++;
        t.equal(after.text, JSON.stringify(expected));
        t.strictSame(after.keys(), Object.keys(expected));
        for (const name of Object.keys(expected))
          t.equal(JSON.stringify(after.value(name)), JSON.stringify(expected[name]));
        t.equal(JSON.stringify(after.object()), JSON.stringify(expected));
        t.equal(text.text, JSON.stringify(before));
        for (const name of Object.keys(before))
          t.equal(JSON.stringify(text.value(name)), JSON.stringify(before[name]));
      }),
      { numRuns: 500 },
    );
    t.ok(direct > 100);
  },
);

void t.test('a text that JSON.stringify did not write is understood all the same', async (t) => {
  for (const [text, keys] of [
    ['{ "a": 1, "b": [1, 2] }', ['a', 'b']],
    ['{"a":1 ,"b":2}', ['a', 'b']],
    ['{}', []],
    [' {}', []],
    ['{"a":"}"} ', ['a']],
  ] as const) {
    const metadata = new MetadataText(text);
    const object = JSON.parse(text) as JsonObject;
    t.strictSame(metadata.keys(), keys, text);
    for (const name of keys) t.strictSame(metadata.value(name), object[name], text);
    t.equal(metadata.value('c'), undefined);
    const changed = metadata.with([], ['c'], () => '3');
    if (changed !== undefined) t.strictSame(JSON.parse(changed.text), { ...object, c: 3 });
  }
});
