/* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { registerKettle, startHarness } from './harness.js';

void t.test('metadata as a whole', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { b: 1, a: 'x' });
  const path = '/endpoints/k1/metadata';
  const first = await h.call('GET', path);
  t.same(first.json, { b: 1, a: 'x' });
  const etag = first.headers.get('etag')!;
  t.match(etag, /^"[^"]+"$/);
  t.equal((await h.call('GET', path, undefined, { 'if-none-match': etag })).status, 304);
  t.equal((await h.call('GET', path, undefined, { 'if-none-match': `W/${etag}` })).status, 304);
  t.equal((await h.call('GET', path, undefined, { 'if-none-match': '*' })).status, 304);
  t.equal((await h.call('GET', path, undefined, { 'if-none-match': '"other"' })).status, 200);
  for (const at of [path, `${path}/a`, '/endpoints/k1/metadata-keys']) {
    for (const method of ['GET', 'HEAD']) {
      const read = async (headers: Record<string, string>) =>
        (await h.call(method, at, undefined, headers)).status;
      t.equal(await read({ 'if-match': etag }), 200, `${method} ${at}`);
      t.equal(await read({ 'if-match': '*' }), 200);
      t.equal(await read({ 'if-match': '"other"' }), 412);
      t.equal(await read({ 'if-match': `W/${etag}` }), 412, 'the comparison is the strong one');
      t.equal(await read({ 'if-match': '"other"', 'if-none-match': etag }), 412);
      t.equal(await read({ 'if-match': etag, 'if-none-match': etag }), 304);
      t.equal(await read({ 'if-match': 'bare' }), 400);
    }
  }
  t.equal(
    (await h.call('GET', `${path}/none`, undefined, { 'if-match': '"other"' })).status,
    404,
    'what is not there has no condition',
  );
  t.same((await h.call('GET', `${path}?include=a,zz`)).json, { a: 'x' });
  t.same((await h.call('GET', '/endpoints/k1/metadata-keys')).json, ['a', 'b']);

  const replaced = await h.call(
    'PUT',
    `${path}?inheritedMetadata=true`,
    { c: [1] },
    { 'if-match': `"no", ${etag}` },
  );
  t.equal(replaced.status, 200);
  t.same(replaced.json, { c: [1] });
  t.not(replaced.headers.get('etag'), etag);
  const now = replaced.headers.get('etag')!;
  for (const stale of [etag, `W/${now}`, '"a", "b"']) {
    const refused = await h.call('PUT', path, { d: 1 }, { 'if-match': stale });
    t.equal(refused.status, 412, stale);
    t.equal(refused.json.code, 'precondition-failed');
  }
  t.equal((await h.call('PUT', path, { d: 1 }, { 'if-match': 'bare' })).json.code, 'invalid-header');
  t.equal((await h.call('PUT', path, { d: 1 }, { 'if-none-match': '*' })).json.code, 'invalid-header');
  t.same((await h.call('GET', path)).json, { c: [1] }, 'nothing was changed');
  t.equal(
    (await h.call('PUT', path, { c: [1] }, { 'if-match': '*' })).headers.get('etag'),
    now,
    'no change keeps the tag',
  );
  t.equal((await h.call('PUT', path, [1])).json.code, 'invalid-body');
  t.equal((await h.call('PUT', path, { 'a.b': 1 })).json.code, 'invalid-metadata-key');
  t.equal((await h.call('PUT', path, { locked: 1 })).status, 403);
  t.equal((await h.call('GET', '/endpoints/none/metadata')).status, 404);
});

void t.test('patches', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1, gone: true });
  const path = '/endpoints/k1/metadata';
  const patch = (body: unknown, type = 'application/json-patch+json') =>
    h.call('PATCH', path, body, { 'content-type': type });
  t.same((await patch([{ op: 'add', path: '/b', value: { c: 1 } }])).json, { a: 1, gone: true, b: { c: 1 } });
  t.same((await patch([{ op: 'replace', path: '/a', value: 2 }], 'application/json')).json.a, 2);
  t.same((await patch({ gone: null, b: { d: 2 } }, 'application/merge-patch+json')).json, {
    a: 2,
    b: { c: 1, d: 2 },
  });
  const failed = await patch([
    { op: 'replace', path: '/a', value: 3 },
    { op: 'test', path: '/a', value: 9 },
  ]);
  t.equal(failed.status, 409);
  t.equal(failed.json.code, 'patch-test-failed');
  t.equal((await patch([{ op: 'remove', path: '/nothing' }])).json.code, 'invalid-patch');
  const bad = await patch([{ op: 'jump', path: 'a' }]);
  t.equal(bad.status, 400);
  t.same(
    bad.json.details.map((detail: { path: string }) => detail.path),
    ['/0/op', '/0/path'],
  );
  t.equal((await patch({ a: 1 }, 'application/json')).status, 400);
  t.equal((await patch([1], 'application/merge-patch+json')).status, 400);
  t.same((await h.call('GET', path)).json, { a: 2, b: { c: 1, d: 2 } });
});

void t.test('one key', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', {});
  const path = '/endpoints/k1/metadata/temp';
  const values = [
    '21.50',
    'null',
    '"\\u0061"',
    '1E5',
    '-0',
    '{"a": [1, {}]}',
    '{"x":1,"y":[{}]}',
    'false',
    '[]',
  ];
  for (const value of values) {
    const put = await h.call('PUT', path, ` ${value}\n`);
    t.equal(put.status, 200);
    t.equal(put.text, JSON.stringify(JSON.parse(value)), 'the value as it is stored');
    const got = await h.call('GET', path);
    t.equal(got.text, put.text);
    t.equal(got.headers.get('etag'), put.headers.get('etag'));
  }
  const stored = await h.call('PUT', path, '{"x":1,"y":2}');
  const again = await h.call('PUT', path, '{"y":2,"x":1.0}');
  t.equal(again.headers.get('etag'), stored.headers.get('etag'));
  t.equal(again.text, stored.text, 'one tag has one representation');
  t.equal((await h.call('GET', path)).text, stored.text);
  t.equal((await h.call('GET', '/endpoints/k1/metadata/none')).json.code, 'metadata-key-not-found');
  t.equal((await h.call('PUT', '/endpoints/k1/metadata/constructor', '1')).status, 200);
  t.equal((await h.call('GET', '/endpoints/k1/metadata/constructor')).json, 1);
  t.equal((await h.call('GET', '/endpoints/k1/metadata/toString')).status, 404);
  t.equal((await h.call('DELETE', path)).status, 204);
  t.equal((await h.call('DELETE', path)).json.code, 'metadata-key-not-found');
  t.equal((await h.call('PUT', '/endpoints/none/metadata/a', '1')).json.code, 'endpoint-not-found');
  for (const key of ['__proto__', 'a.b', '%D0%BA', 'a%20b']) {
    t.equal(
      (await h.call('PUT', `/endpoints/k1/metadata/${key}`, '1')).json.code,
      'invalid-metadata-key',
      key,
    );
  }
  t.equal((await h.call('PUT', '/endpoints/k1/metadata/locked', '1')).json.code, 'key-restricted');
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { constructor: 1 });
});

void t.test('bad values change nothing and say what is wrong', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const bad: [name: string, body: string | Uint8Array, code: string][] = [
    ['empty', '', 'malformed-json'],
    ['truncated', '{"a":', 'malformed-json'],
    ['two values', '1 2', 'malformed-json'],
    ['duplicate keys', '{"x":1,"x":2}', 'malformed-json'],
    ['__proto__', '{"__proto__":1}', 'malformed-json'],
    ['lone surrogate', '"\\ud800"', 'malformed-json'],
    ['beyond 2^53', '9007199254740993', 'malformed-json'],
    ['too large a number', '1e400', 'malformed-json'],
    ['40 levels', '['.repeat(40) + ']'.repeat(40), 'nested-too-deep'],
    ['invalid UTF-8', Uint8Array.of(34, 0xff, 34), 'malformed-json'],
    ['a byte order mark', '\ufeff1', 'malformed-json'],
  ];
  for (const [name, body, code] of bad) {
    const answer = await h.call('PUT', '/endpoints/k1/metadata/a', body);
    t.equal(answer.status, 400, name);
    t.equal(answer.json.code, code, `${name}: ${answer.json.message}`);
    t.same(answer.json.details, [{ path: '', message: answer.json.message }], name);
  }
  t.equal(
    (await h.call('PUT', '/endpoints/k1/metadata/a', `"${'x'.repeat(120_000)}"`)).json.code,
    'endpoint-too-large',
  );
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { a: 1 });
  t.equal(
    (await h.call('PUT', '/endpoints/k1/metadata/a', '['.repeat(32) + ']'.repeat(32))).status,
    200,
    '32 levels fit',
  );
  t.equal((await h.call('PUT', '/endpoints/k1/metadata/a', '9007199254740992')).status, 200);
  const whole = `{"a":${'['.repeat(32)}${']'.repeat(32)}}`;
  t.equal((await h.call('PUT', '/endpoints/k1/metadata', whole)).status, 200);
  t.equal((await h.call('PUT', '/endpoints/k1/metadata', `{"a":[${whole}]}`)).json.code, 'nested-too-deep');
});

void t.test('every bad key is named', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const put = (body: unknown) => h.call('PUT', '/endpoints/k1/metadata', body);
  const invalid = await put({ 'a/b': 1, good: 2, 'c~d': 3 });
  t.equal(invalid.json.code, 'invalid-metadata-key');
  t.match(invalid.json.details, [
    { path: '/a~1b', message: /"a\/b" is not allowed/ },
    { path: '/c~0d', message: /"c~d" is not allowed/ },
  ]);
  t.equal(invalid.json.details.length, 2);
  t.match(invalid.json.message, /a\/b.*c~d/);
  const restricted = await put({ locked: 1 });
  t.equal(restricted.json.code, 'key-restricted');
  t.match(restricted.json.details, [{ path: '/locked', message: /restricted/ }]);
  const reserved = await h.call('PUT', '/endpoints/k1/metadata/__proto__', '1');
  t.equal(reserved.json.message, 'The metadata key "__proto__" is not allowed: it is reserved.');
  const inner = await put('{"a":{"b/c":["\\ud800"]}}');
  t.same(inner.json.details, [{ path: '/a/b~1c/0', message: inner.json.message }]);
  const deep = await put(`{"a":${'['.repeat(33)}${']'.repeat(33)}}`);
  t.equal(deep.json.code, 'nested-too-deep');
  t.equal(deep.json.details.length, 1);
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { a: 1 });
});

void t.test('details are pointers into what was sent', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const registered = await h.call('POST', '/endpoints', {
    appVersion: { name: 'kettle-v1' },
    metadata: { 'a/b': 1, good: { x: 2 } },
  });
  t.equal(registered.json.code, 'invalid-metadata-key');
  t.match(registered.json.details, [{ path: '/metadata/a~1b', message: /"a\/b" is not allowed/ }]);
  t.equal(registered.json.details.length, 1);

  const items = [
    { endpointId: 'k1', set: { 'a/b': 1, good: 2, '-': 3 } },
    { endpointId: 'k1', set: { locked: 1 } },
    { endpointId: 'k1', set: {}, unset: ['none'] },
    { endpointId: 'k1', 'x/y': 1 },
    { endpointId: 'k 1', set: {} },
    { endpointId: 'k1', set: [] },
  ];
  const paths = [['/set/a~1b', '/set/-'], ['/set/locked'], undefined, ['/x~1y'], ['/endpointId'], ['/set']];
  interface Result {
    details?: { path: string; message: string }[];
  }
  const pathsOf = (results: Result[]) => results.map(({ details }) => details?.map(({ path }) => path));
  const batch = await h.call('POST', '/endpoints/metadata/batch', items);
  t.same(pathsOf(batch.json as Result[]), paths);
  const lines = [...items.map((item) => JSON.stringify(item)), '{"endpointId":"k1","set":{"a":["\\ud800"]}}'];
  const streamed = await h.call('POST', '/endpoints/metadata/batch', lines.join('\n'), {
    'content-type': 'application/x-ndjson',
  });
  const results = streamed.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  t.same(pathsOf(results), [...paths, ['/set/a/0']]);
  t.match(results[0]!.details![0], { message: /"a\/b" is not allowed/ });
});
