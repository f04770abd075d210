import t from 'tap';
import { refuse } from '../../src/model/errors.js';
import { openAccess } from '../../src/security/index.js';
import { holdSubmits, openRaw, registerKettle, startHarness } from './harness.js';

const put = (headers: string, body: string) =>
  `PUT /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`;

void t.test('headers that contradict themselves', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const cases: [name: string, headers: string, message: RegExp][] = [
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n', /two Content-Length headers that differ/],
    ['an empty If-Match', 'Content-Length: 1\r\nIf-Match:\r\n', /If-Match is empty/],
    ['an If-Match of commas', 'Content-Length: 1\r\nIf-Match: , ,\r\n', /If-Match is empty/],
    [
      'two content types',
      'Content-Length: 1\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\n',
      /two Content-Type/,
    ],
  ];
  for (const [name, headers, message] of cases) {
    const raw = openRaw(t, h.gateway.port);
    raw.send(put(headers, '22'));
    const answer = await raw.until(/"code":"invalid-header"\}$/);
    t.match(answer, /^HTTP\/1.1 400 /, name);
    t.match(answer, message, name);
  }
  const both = openRaw(t, h.gateway.port);
  both.send(put('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', '1\r\n2\r\n0\r\n\r\n'));
  t.match(await both.until(/400/), /^HTTP\/1.1 400 /, 'a length and chunks');
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { a: 1 }, 'nothing was changed');

  for (const coding of ['gzip, chunked', 'gzip', 'identity']) {
    const coded = openRaw(t, h.gateway.port);
    coded.send(put(`Transfer-Encoding: ${coding}\r\n`, '1\r\n2\r\n0\r\n\r\n'));
    t.match(await coded.until(/HTTP\/1.1 \d+ /), /^HTTP\/1.1 400 /, coding);
  }
  const twice = openRaw(t, h.gateway.port);
  twice.send(put('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '1\r\n2\r\n0\r\n\r\n'));
  t.match(await twice.until(/HTTP\/1.1 \d+ /), /^HTTP\/1.1 400 /, 'two codings');
  const hidden = 'DELETE /api/v1/endpoints/k1 HTTP/1.1\r\nHost: x\r\n\r\n';
  const smuggler = openRaw(t, h.gateway.port);
  smuggler.send(put(`Content-Length: 1\r\nContent-Length: ${1 + hidden.length}\r\n`, `2${hidden}`));
  await smuggler.closed;
  t.same(
    (await h.call('GET', '/endpoints/k1/metadata')).json,
    { a: 1 },
    'nothing was changed, nor is what hides in the longer body a request',
  );

  const same = openRaw(t, h.gateway.port);
  same.send(put('Content-Length: 1\r\nContent-Length: 1\r\n', '7'));
  t.match(await same.until(/\r\n\r\n7$/), /^HTTP\/1.1 200 /, 'two equal lengths are one');
  const listed = openRaw(t, h.gateway.port);
  listed.send(put('Content-Length: 1\r\nIf-Match: "no"\r\nIf-Match: *\r\n', '8'));
  t.match(await listed.until(/\}$/), /^HTTP\/1.1 400 /, '"*" is no member of a list');
});

void t.test('a body that is cut off changes nothing', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const cut = openRaw(t, h.gateway.port);
  cut.send(put('Content-Length: 10\r\n', '12345'));
  cut.socket.end();
  await cut.closed;
  const chunked = openRaw(t, h.gateway.port);
  chunked.send(put('Transfer-Encoding: chunked\r\n', '1\r\n2\r\n'));
  chunked.socket.destroy();
  await chunked.closed;
  const slow = openRaw(t, h.gateway.port);
  for (const byte of put('Content-Length: 2\r\n', '12')) slow.send(byte);
  t.match(await slow.until(/\r\n\r\n12$/), /^HTTP\/1.1 200 /, 'byte by byte is whole');
  t.same((await h.call('GET', '/endpoints/k1/metadata')).json, { a: 12 });
});

void t.test('a client that goes away before its answer: the change happens, nothing breaks', async (t) => {
  const held = holdSubmits();
  const h = await startHarness(t, { wrap: held.wrap });
  await registerKettle(h, 'k1', { a: 1 });
  const raw = openRaw(t, h.gateway.port);
  raw.send(put('Content-Length: 1\r\n', '2'));
  await held.arrived();
  raw.socket.destroy();
  await raw.closed;
  held.release();
  let metadata: unknown;
  do {
    metadata = (await h.call('GET', '/endpoints/k1/metadata')).json;
  } while ((metadata as { a: number }).a !== 2);
  t.same(metadata, { a: 2 });
  t.same(h.logged, []);
});

void t.test('a connection is used again after an answer without a body, and after a refusal', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1, b: 2 });
  const raw = openRaw(t, h.gateway.port);
  raw.send('DELETE /api/v1/endpoints/k1/metadata/a HTTP/1.1\r\nHost: x\r\n\r\n');
  const deleted = await raw.until(/\r\n\r\n$/);
  t.match(deleted, /^HTTP\/1.1 204 No Content/);
  t.notMatch(deleted, /content-length/i);
  raw.send('GET /api/v1/endpoints/k1/metadata HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n');
  await raw.until(/304 Not Modified.*\r\n\r\n$/s);
  raw.send(
    'PUT /api/v1/endpoints/k1/metadata/c HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello',
  );
  await raw.until(/415 .*\}$/s);
  raw.send('GET /api/v1/endpoints/k1/metadata HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await raw.until(/\{"b":2\}$/), /200 OK[^]*\{"b":2\}$/);
});

void t.test('pipelined requests are not mixed up: the connection is closed', async (t) => {
  const h = await startHarness(t);
  await registerKettle(h, 'k1', { a: 1 });
  const raw = openRaw(t, h.gateway.port);
  raw.send(put('Content-Length: 1\r\n', '2') + put('Content-Length: 1\r\n', '3'));
  await raw.closed;
  t.notMatch(raw.received(), /200 OK/);
  t.equal((await h.call('GET', '/endpoints/k1/metadata')).status, 200, 'others are served');
});

void t.test('bodies that are being received have a common bound', async (t) => {
  const h = await startHarness(t, { bodiesBytes: 1000 });
  await registerKettle(h, 'k1', { a: 1 });
  const length = 'Content-Length: 700\r\n';
  const first = openRaw(t, h.gateway.port);
  first.send(put(length, '1'.padEnd(600)));
  // the second is refused as soon as the first one's bytes have come: until then it may be taken itself
  const second = openRaw(t, h.gateway.port);
  second.send(put(length, '2'.padEnd(600)));
  const [loser, winner] = await Promise.race([
    first.until(/\}$/).then(() => [first, second] as const),
    second.until(/\}$/).then(() => [second, first] as const),
  ]);
  t.match(loser.received(), /^HTTP\/1.1 429 [^]*Retry-After: 1[^]*"code":"overloaded"/);
  winner.send(' '.repeat(100));
  t.match(await winner.until(/\r\n\r\n[12]$/), /^HTTP\/1.1 200 /, 'the other is not hurt');
  const third = openRaw(t, h.gateway.port);
  third.send(put(length, '3'.padEnd(600)));
  third.send(' '.repeat(100));
  t.match(await third.until(/\r\n\r\n3$/), /^HTTP\/1.1 200 /, 'what was held is given back');
  const cut = openRaw(t, h.gateway.port);
  cut.send(put(length, '4'.padEnd(600)));
  cut.socket.end();
  await cut.closed;
  const last = openRaw(t, h.gateway.port);
  last.send(put(length, '5'.padEnd(600)));
  last.send(' '.repeat(100));
  t.match(await last.until(/\r\n\r\n5$/), /^HTTP\/1.1 200 /, 'also when the client went away');
});

void t.test('what a refused request held is given back', async (t) => {
  const open = openAccess();
  const h = await startHarness(t, {
    bodiesBytes: 1000,
    access: {
      ...open,
      authenticates: true,
      authenticate: async (authorization) =>
        authorization === 'bad' ? refuse('forbidden') : open.authenticate(undefined),
    },
  });
  await registerKettle(h, 'k1', { a: 1 });
  const refused = openRaw(t, h.gateway.port);
  refused.send(put('Content-Length: 700\r\nAuthorization: bad\r\n', '1'.padEnd(600)));
  t.match(await refused.until(/\}$/), /^HTTP\/1.1 403 /);
  refused.socket.destroy();
  await refused.closed;
  const next = openRaw(t, h.gateway.port);
  next.send(put('Content-Length: 700\r\n', '5'.padEnd(600)));
  next.send(' '.repeat(100));
  t.match(await next.until(/\r\n\r\n(5|\{.*\})$/), /^HTTP\/1.1 200 /);
});

void t.test('a connection goes on after HEAD', async (t) => {
  const h = await startHarness(t);
  for (const port of [h.gateway.port, h.gateway.managementPort]) {
    const raw = openRaw(t, port);
    raw.send('HEAD /info HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await raw.until(/\r\n\r\n$/);
    t.equal(head.match(/^content-length: \d+\r$/gim)?.length, 1, 'its length is there once');
    raw.send('GET /none HTTP/1.1\r\nHost: x\r\n\r\n');
    t.match(await raw.until(/\}$/), /HTTP\/1.1 404 .*not-found/s);
  }
});
