import t from 'tap';
import fc from '../fast-check.js';
import fastJsonPatch from 'fast-json-patch';
import { type JsonObject, type JsonValue, jsonEquals } from '../../src/model/json.js';
import { applyJsonPatch, applyMergePatch } from '../../src/model/json-patch.js';

const MAX_COPIED = 10_000;

function patched(document: JsonValue, patch: JsonValue) {
  return applyJsonPatch(structuredClone(document), structuredClone(patch), MAX_COPIED);
}

/** RFC 6902, appendix A; `after` absent: it fails. */
const EXAMPLES: { name: string; before: JsonValue; patch: JsonValue; after?: JsonValue; test?: boolean }[] = [
  {
    name: 'A.1 add a member',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/baz', value: 'qux' }],
    after: { baz: 'qux', foo: 'bar' },
  },
  {
    name: 'A.2 add an element',
    before: { foo: ['bar', 'baz'] },
    patch: [{ op: 'add', path: '/foo/1', value: 'qux' }],
    after: { foo: ['bar', 'qux', 'baz'] },
  },
  {
    name: 'A.3 remove a member',
    before: { baz: 'qux', foo: 'bar' },
    patch: [{ op: 'remove', path: '/baz' }],
    after: { foo: 'bar' },
  },
  {
    name: 'A.4 remove an element',
    before: { foo: ['bar', 'qux', 'baz'] },
    patch: [{ op: 'remove', path: '/foo/1' }],
    after: { foo: ['bar', 'baz'] },
  },
  {
    name: 'A.5 replace',
    before: { baz: 'qux', foo: 'bar' },
    patch: [{ op: 'replace', path: '/baz', value: 'boo' }],
    after: { baz: 'boo', foo: 'bar' },
  },
  {
    name: 'A.6 move a value',
    before: { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
    patch: [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    after: { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
  },
  {
    name: 'A.7 move an element',
    before: { foo: ['all', 'grass', 'cows', 'eat'] },
    patch: [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    after: { foo: ['all', 'cows', 'eat', 'grass'] },
  },
  {
    name: 'A.8 test: success',
    before: { baz: 'qux', foo: ['a', 2, 'c'] },
    patch: [
      { op: 'test', path: '/baz', value: 'qux' },
      { op: 'test', path: '/foo/1', value: 2 },
    ],
    after: { baz: 'qux', foo: ['a', 2, 'c'] },
  },
  {
    name: 'A.9 test: error',
    before: { baz: 'qux' },
    patch: [{ op: 'test', path: '/baz', value: 'bar' }],
    test: true,
  },
  {
    name: 'A.10 add a nested member',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/child', value: { grandchild: {} } }],
    after: { foo: 'bar', child: { grandchild: {} } },
  },
  {
    name: 'A.11 unknown members are ignored',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }],
    after: { foo: 'bar', baz: 'qux' },
  },
  {
    name: 'A.12 add to a target that is not there',
    before: { foo: 'bar' },
    patch: [{ op: 'add', path: '/baz/bat', value: 'qux' }],
  },
  {
    name: 'A.14 escapes',
    before: { '/': 9, '~1': 10 },
    patch: [{ op: 'test', path: '/~01', value: 10 }],
    after: { '/': 9, '~1': 10 },
  },
  {
    name: 'A.15 texts are no numbers',
    before: { '/': 9, '~1': 10 },
    patch: [{ op: 'test', path: '/~01', value: '10' }],
    test: true,
  },
  {
    name: 'A.16 add an array',
    before: { foo: ['bar'] },
    patch: [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
    after: { foo: ['bar', ['abc', 'def']] },
  },
];

void t.test('the examples of RFC 6902', async (t) => {
  for (const { name, before, patch, after, test } of EXAMPLES) {
    const result = patched(before, patch);
    if (after === undefined) {
      t.notOk(result.ok, name);
      t.equal(!result.ok && result.test, test ?? false, `${name}: whether a test failed`);
    } else t.same(result.ok && result.value, after, name);
  }
});

void t.test('what can not be done says which operation, and why', async (t) => {
  const document: JsonObject = { a: 1, list: [1, 2], o: { b: null } };
  const faults: [name: string, operation: JsonValue, message: RegExp][] = [
    ['not an object', 'add', /is an object/],
    ['null', null, /is an object/],
    ['no op', { path: '/a' }, /"op" is one of.*none/],
    ['unknown op', { op: 'spam', path: '/a' }, /"op" is one of.*"spam"/],
    ['no path', { op: 'remove' }, /no "path"/],
    ['path of another type', { op: 'remove', path: 5 }, /no "path"/],
    ['no pointer', { op: 'remove', path: 'a' }, /begins with "\/"/],
    ['bad escape', { op: 'remove', path: '/a~2' }, /"~"/],
    ['no value', { op: 'add', path: '/x' }, /no "value"/],
    ['value that is inherited only', { op: 'test', path: '/o/valueOf', value: 1 }, /nothing at/],
    ['replace what is not there', { op: 'replace', path: '/x', value: 1 }, /nothing at/],
    ['remove what is not there', { op: 'remove', path: '/x' }, /nothing at/],
    ['inherited: constructor', { op: 'remove', path: '/constructor' }, /nothing at/],
    ['inherited: toString', { op: 'copy', from: '/toString', path: '/x' }, /nothing at/],
    ['inherited: in between', { op: 'add', path: '/constructor/prototype', value: 1 }, /no place/],
    ['length of an array', { op: 'replace', path: '/list/length', value: 0 }, /no place/],
    ['__proto__', { op: 'add', path: '/__proto__', value: {} }, /__proto__/],
    ['__proto__ in between', { op: 'add', path: '/o/__proto__/x', value: {} }, /__proto__/],
    ['__proto__ as source', { op: 'copy', from: '/__proto__', path: '/x' }, /__proto__/],
    ['leading zero', { op: 'replace', path: '/list/01', value: 0 }, /no place/],
    ['leading zero, add', { op: 'add', path: '/list/00', value: 0 }, /no place/],
    ['negative', { op: 'add', path: '/list/-1', value: 0 }, /no place/],
    ['exponent', { op: 'add', path: '/list/1e0', value: 0 }, /no place/],
    ['beyond the end', { op: 'add', path: '/list/3', value: 0 }, /no place/],
    ['replace at the end', { op: 'replace', path: '/list/2', value: 0 }, /nothing at/],
    ['remove "-"', { op: 'remove', path: '/list/-' }, /nothing at/],
    ['below "-"', { op: 'add', path: '/list/-/a', value: 0 }, /no place/],
    ['below a scalar', { op: 'add', path: '/a/b', value: 0 }, /no place/],
    ['below null', { op: 'add', path: '/o/b/c', value: 0 }, /no place/],
    ['into itself', { op: 'move', from: '/o', path: '/o/x' }, /into itself/],
    ['no from', { op: 'move', path: '/o' }, /no "from"/],
  ];
  for (const [name, operation, message] of faults) {
    const result = patched(document, [{ op: 'add', path: '/fine', value: 1 }, operation]);
    t.notOk(result.ok, name);
    if (result.ok) continue;
    t.equal(result.index, 1, `${name}: its number`);
    t.match(result.message, message, `${name}: ${result.message}`);
  }
  t.match(patched(document, { op: 'add' }), { ok: false, message: /array of operations/ });
  t.equal(({} as { x?: unknown }).x, undefined);
});

void t.test('places that are special', async (t) => {
  t.same(patched({ a: [] }, [{ op: 'add', path: '/a/0', value: 1 }]), { ok: true, value: { a: [1] } });
  t.same(patched({ a: 1 }, [{ op: 'add', path: '', value: { b: 2 } }]), { ok: true, value: { b: 2 } });
  t.same(patched({ a: 1 }, [{ op: 'test', path: '', value: { a: 1 } }]), { ok: true, value: { a: 1 } });
  t.same(patched({ '': { '': 1 } }, [{ op: 'replace', path: '//', value: 2 }]), {
    ok: true,
    value: { '': { '': 2 } },
  });
  t.same(patched({ a: 1 }, [{ op: 'move', from: '/a', path: '/a' }]), { ok: true, value: { a: 1 } });
  t.same(patched({ a: 1 }, [{ op: 'add', path: '/constructor', value: 2 }]), {
    ok: true,
    value: { a: 1, constructor: 2 },
  });
  t.same(patched({ n: null }, [{ op: 'test', path: '/n', value: null }]), { ok: true, value: { n: null } });
  t.match(
    patched({}, [{ op: 'test', path: '/n', value: null }]),
    { ok: false, test: true },
    'absent is not null',
  );
  t.same(
    patched({ o: { a: 1, b: 2 } }, [{ op: 'test', path: '/o', value: { b: 2, a: 1 } }]).ok,
    true,
    'order of keys',
  );
});

void t.test('a value that was added or copied is its own', async (t) => {
  const twice = patched({ a: { x: 1 } }, [
    { op: 'copy', from: '/a', path: '/b' },
    { op: 'add', path: '/b/y', value: 2 },
  ]);
  t.same(twice, { ok: true, value: { a: { x: 1 }, b: { x: 1, y: 2 } } });
});

void t.test('copies are bounded in number and depth', async (t) => {
  const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
  t.match(patched({ a: ['x'] }, doubling), { ok: false, test: false, message: /copies more/ });
  const texts = Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/a', path: `/b${i}` }));
  t.match(patched({ a: 'x'.repeat(1_000_000) }, texts), { ok: false, message: /copies more/ });

  // each step puts all there is one level down; no step is larger than a few bytes
  const deeper = (steps: number): JsonValue[] =>
    Array.from({ length: steps }, () => [
      { op: 'add', path: '/b', value: {} },
      { op: 'move', from: '/a', path: '/b/a' },
      { op: 'move', from: '/b', path: '/a' },
    ]).flat();
  t.ok(patched({ a: 1 }, deeper(50)).ok);
  const deep = patched({ a: 1 }, [...deeper(20_000), { op: 'copy', from: '/a', path: '/c' }]);
  t.match(deep, { ok: false, message: /levels/ }, 'refused, not thrown');
});

const name = fc.constantFrom('a', 'b', '0', '1', '~', '/', 'constructor');
const value: fc.Arbitrary<JsonValue> = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<JsonValue>(null, true, 0, 1, 'x', ''),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(name, tie('any'), { maxKeys: 3 }).map((object) => ({ ...object })),
  ),
})).any;
const pointer = fc
  .array(fc.oneof(name, fc.constantFrom('2', '-', '01')), { maxLength: 3 })
  .map((parts) => parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''));
const operation: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({ op: fc.constantFrom('add', 'replace', 'test'), path: pointer, value }),
  fc.record({ op: fc.constant('remove'), path: pointer }),
  fc.record({ op: fc.constantFrom('move', 'copy'), from: pointer, path: pointer }),
);

/** What fast-json-patch does otherwise than the RFC says, so that its word is not asked. */
function isDisputed(operations: readonly JsonObject[]): boolean {
  return operations.some(({ op, path, from }) => {
    const places = [path, from].filter((place) => place !== undefined) as string[];
    return (
      places.some((place) => place === '' || /\/(-|01|constructor)(\/|$)/.test(place)) ||
      ((op === 'move' || op === 'copy') &&
        ((path as string).startsWith(from as string) || /\/[12]$/.test(path as string)))
    );
  });
}

void t.test('comes to what fast-json-patch comes to, one operation at a time', async (t) => {
  let [compared, done] = [0, 0];
  fc.assert(
    fc.property(value, fc.array(operation, { maxLength: 4 }), (document, operations) => {
      const mine = patched(document, operations);
      if (isDisputed(operations) || typeof document !== 'object' || document === null) return true;
      let theirs: JsonValue | undefined;
      try {
        const copy = structuredClone(document);
        theirs = fastJsonPatch.applyPatch(copy, structuredClone(operations) as never, true).newDocument;
      } catch {
        theirs = undefined;
      }
      compared++;
      if (theirs === undefined) return !mine.ok;
      done++;
      return mine.ok && jsonEquals(mine.value, theirs);
    }),
    { numRuns: 10_000 },
  );
  t.ok(compared > 1000 && done > 300, `${compared} compared, ${done} of them done`);
});

void t.test('the examples of RFC 7396', async (t) => {
  const examples: [target: JsonValue, patch: JsonValue, result: JsonValue][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{}, { constructor: { a: null, b: 1 } }, { constructor: { b: 1 } }],
  ];
  for (const [target, patch, result] of examples) {
    const [targetText, patchText] = [JSON.stringify(target), JSON.stringify(patch)];
    t.same(applyMergePatch(target, patch), result, `${targetText} + ${patchText}`);
    t.equal(JSON.stringify(target), targetText, 'the target stays');
    t.equal(JSON.stringify(patch), patchText, 'the patch stays');
  }
});
