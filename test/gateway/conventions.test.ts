/* eslint-disable @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { limits, openRaw, registerKettle, request, startHarness } from './harness.js';

void t.test('prefixes, Location, unknown paths and methods', async (t) => {
  const h = await startHarness(t);
  const body = { appVersion: { name: 'kettle-v1' }, endpointId: 'k1' };
  const registered = await request(`${h.origin}/epr/api/v1/endpoints`, 'POST', body);
  t.equal(registered.headers.get('location'), `${h.origin}/epr/api/v1/endpoints/k1`);
  t.equal((await request(registered.headers.get('location')!, 'GET')).status, 200);
  const forwarded = await h.call(
    'POST',
    '/endpoints',
    { ...body, endpointId: 'k2' },
    { 'x-forwarded-proto': 'https, http' },
  );
  t.equal(forwarded.headers.get('location'), `${h.origin.replace('http:', 'https:')}/api/v1/endpoints/k2`);

  for (const path of [
    '/api/v1',
    '/api/v1/',
    '/api/v1/nothing',
    '/api/v2/endpoints',
    '/api/v1/endpoints/',
    '/xepr/api/v1/endpoints',
    '/api/v1endpoints',
  ]) {
    const answer = await request(h.origin + path, 'GET');
    t.equal(answer.status, 404, path);
    t.equal(answer.json.code, 'not-found', path);
  }
  const methods: [method: string, path: string, allow: string][] = [
    ['PATCH', '/endpoints', 'GET, HEAD, POST'],
    ['POST', '/endpoints/k1', 'GET, HEAD, DELETE'],
    ['PUT', '/endpoints/batch', 'GET, HEAD, POST, DELETE'],
    ['OPTIONS', '/endpoints/k1/metadata/a', 'GET, HEAD, PUT, DELETE'],
  ];
  for (const [method, path, allow] of methods) {
    const answer = await h.call(method, path);
    t.equal(answer.status, 405, `${method} ${path}`);
    t.equal(answer.json.code, 'method-not-allowed');
    t.equal(answer.headers.get('allow'), allow);
  }
});

void t.test('ids that look like paths', async (t) => {
  const h = await startHarness(t);
  for (const id of ['batch', 'metadata', 'status']) {
    await registerKettle(h, id, { a: 1 });
    t.equal((await h.call('GET', `/endpoints/${id}`)).json.endpointId, id);
    t.same((await h.call('GET', `/endpoints/${id}/metadata`)).json, { a: 1 });
  }
  for (const id of ['a%2Fb', 'a%20b', 'x'.repeat(257), '%D0%BA', 'a:b']) {
    t.equal((await h.call('GET', `/endpoints/${id}`)).json.code, 'invalid-endpoint-id', id);
  }
  t.equal((await h.call('GET', '/endpoints/%zz')).status, 400);
  t.equal((await h.call('GET', '/endpoints/%ff')).status, 400);
  const raw = openRaw(t, h.gateway.port);
  raw.send('GET /api/v1/endpoints/.. HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await raw.until(/\}$/), /^HTTP\/1.1 400 .*invalid-endpoint-id/s);
});

void t.test('public-url is the base of Location', async (t) => {
  const h = await startHarness(t, { publicUrl: 'https://iot.example/epr/' });
  const body = { appVersion: { name: 'kettle-v1' }, endpointId: 'k1' };
  const registered = await request(`${h.origin}/epr/api/v1/endpoints`, 'POST', body);
  t.equal(registered.headers.get('location'), 'https://iot.example/epr/api/v1/endpoints/k1');
});

void t.test('content types and encodings', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1');
  const put = (type: string, extra = {}) =>
    h.call('PUT', '/endpoints/k1/metadata/a', '1', { 'content-type': type, ...extra });
  for (const type of [
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
    '',
  ]) {
    t.equal((await put(type)).status, 200, type);
  }
  for (const type of [
    'text/plain',
    'application/json; charset=latin1',
    'application/x-ndjson',
    'application/json-patch+json',
    'json',
  ]) {
    const answer = await put(type);
    t.equal(answer.status, 415, type);
    t.equal(answer.json.code, 'unsupported-media-type');
    t.match(answer.json.message, /application\/json/);
  }
  t.equal((await put('application/json', { 'content-encoding': 'gzip' })).status, 415);
  t.equal((await put('application/json', { 'content-encoding': 'identity' })).status, 200);
  const raw = openRaw(t, h.gateway.port);
  raw.send('PUT /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n7');
  t.match(await raw.until(/\r\n\r\n./), /^HTTP\/1.1 200 OK.*\r\n\r\n7$/s, 'no content type is JSON');
});

void t.test('query parameters', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const taken = '?tenantId=x&include=y&inheritedMetadata=false';
  t.equal((await h.call('GET', `/endpoints/k1/app-version${taken}`)).status, 200);
  t.equal((await h.call('GET', `/endpoints/k1/metadata-keys${taken}`)).status, 200);
  t.equal((await h.call('PUT', `/endpoints/k1/metadata/a${taken}`, '2')).status, 200);
  t.equal((await h.call('DELETE', `/endpoints/k1/metadata/a${taken}`)).status, 204);
  const unknown = await h.call('DELETE', '/endpoints/k1?force=1&x=');
  t.equal(unknown.json.code, 'unknown-parameter');
  t.same(
    unknown.json.details.map((detail: { path: string }) => detail.path),
    ['force', 'x'],
  );
  t.match(unknown.json.message, /It takes: tenantId, include, inheritedMetadata\./);
  t.equal((await h.call('GET', '/openapi.json?x=1')).json.code, 'unknown-parameter');
  t.equal(
    (await h.call('GET', '/endpoints/k1/app-version?tenantId=a&tenantId=b')).json.code,
    'invalid-parameter',
  );
  t.equal(
    (await h.call('GET', '/endpoints/batch/status')).json.details.length,
    2,
    'both that are missing are named',
  );
});

void t.test('correlation ids', async (t) => {
  const h = await startHarness(t);
  const made = await h.call('GET', '/endpoints/none');
  t.match(made.headers.get('x-correlation-id'), /^[0-9a-f-]{36}$/);
  const given = await h.call('GET', '/endpoints/none', undefined, { 'x-correlation-id': 'order 66/a' });
  t.equal(given.headers.get('x-correlation-id'), 'order 66/a');
  for (const id of ['x'.repeat(129), 'caf\u00e9s']) {
    const answer = await h.call('GET', '/endpoints/none', undefined, { 'x-correlation-id': id });
    t.equal(answer.json.code, 'invalid-header');
    t.match(answer.headers.get('x-correlation-id'), /^[0-9a-f-]{36}$/);
  }
});

void t.test('HEAD answers as GET does, without the body', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const got = await h.call('GET', '/endpoints/k1/metadata');
  const head = await h.call('HEAD', '/endpoints/k1/metadata');
  t.equal(head.status, 200);
  t.equal(head.text, '');
  t.equal(head.headers.get('etag'), got.headers.get('etag'));
  t.equal(head.headers.get('content-length'), String(got.text.length));
  t.equal((await h.call('HEAD', '/events')).headers.get('content-type'), 'text/event-stream');
  t.equal((await h.call('HEAD', '/endpoints/none')).status, 404);
});

void t.test('a fault of ours tells nothing and is logged under the correlation id', async (t) => {
  const h = await startHarness(t, {
    wrap: (register) => ({
      ...register,
      endpoints: { ...register.endpoints, get: async () => Promise.reject(new Error('the secret place')) },
    }),
  });
  const answer = await h.call('GET', '/endpoints/k1', undefined, { 'x-correlation-id': 'find-me' });
  t.equal(answer.status, 500);
  t.equal(answer.json.code, 'internal');
  t.notMatch(answer.text, /secret/);
  t.ok(h.logged.some((line) => line.includes('find-me') && line.includes('the secret place')));
});

void t.test('what may be tried again says when', async (t) => {
  for (const [code, status] of [
    ['overloaded', 429],
    ['storage-unavailable', 503],
    ['stopping', 503],
  ] as const) {
    const h = await startHarness(t, {
      wrap: (register) => ({
        ...register,
        endpoints: {
          ...register.endpoints,
          submit: async () => ({ kind: 'retry', code, message: 'Later.' }),
        },
      }),
    });
    const answer = await h.call('PUT', '/endpoints/k1/metadata/a', '1');
    t.equal(answer.status, status);
    t.same(answer.json, { message: 'Later.', code });
    t.equal(answer.headers.get('retry-after'), '1');
  }
});

void t.test('bodies that are too large', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1');
  const early = openRaw(t, h.gateway.port);
  early.send(
    `PUT /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\nContent-Length: ${limits.bodyBytes + 1}\r\n\r\n`,
  );
  t.match(await early.until(/body-too-large.*\}$/s), /^HTTP\/1.1 413 /, 'answered before the body comes');
  t.equal(early.received().match(/^connection: close\r$/gim)?.length, 1, 'says once that it closes');
  const chunked = openRaw(t, h.gateway.port);
  chunked.send(
    'PUT /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const part = 'x'.repeat(0x8000);
  for (let sent = 0; sent <= limits.bodyBytes; sent += part.length) chunked.send(`8000\r\n${part}\r\n`);
  t.match(await chunked.until(/body-too-large/), /^HTTP\/1.1 413 /);
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, {});
});
