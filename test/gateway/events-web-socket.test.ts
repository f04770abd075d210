import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import t from 'tap';
import { openAccess, type Access } from '../../src/security/index.js';
import { clientFrame, follow, PROTOCOLS } from './event-clients.js';
import { openRaw, registerKettle, startHarness } from './harness.js';

interface Refused {
  status: number;
  headers: IncomingHttpHeaders;
  body: { code?: string; message?: string };
}

const ASKED = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** Asks for a WebSocket; a status of 101 comes without a body. */
function ask(port: number, path: string, headers: Record<string, string> = {}): Promise<Refused> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers: { ...ASKED, ...headers } });
    request.on('error', reject);
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode!, headers: response.headers, body: {} });
    });
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: JSON.parse(text) as Refused['body'],
        }),
      );
    });
    request.end();
  });
}

void t.test('both protocols tell the same', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  const [sse, ws] = await Promise.all(PROTOCOLS.map((protocol) => follow(t, protocol, { port })));
  const some = await follow(t, 'ws', { port, query: '?type=unregistered&endpointId=k1&endpointId=k2' });
  await registerKettle(h, 'k1', { city: 'Київ' });
  await h.call('PUT', '/endpoints/k1/metadata/city', '"Львів"', { 'x-correlation-id': 'order 66' });
  await h.call('DELETE', '/endpoints/k1');
  await sse!.until(() => sse!.told.length === 3);
  await ws!.until(() => ws!.told.length === 3);
  t.same(ws!.told, sse!.told);
  t.match(ws!.told[1], {
    id: /^[0-9a-f]{12}-\d+\.0$/,
    type: 'metadata-updated',
    data: {
      messageId: /^k1\.\d+\.metadata-updated$/,
      source: 'k1',
      application: 'kettle',
      correlationId: 'order 66',
      updated: { city: { newValue: '"Львів"' } },
    },
  });
  await some.until(() => some.told.length === 1);
  t.match(some.told, [{ type: 'unregistered' }]);
});

void t.test('an upgrade is refused with the errors that a GET has', async (t) => {
  const h = await startHarness(t, { eventSubscribers: 1 });
  const { port } = h.gateway;
  const cases: [path: string, status: number, code: string][] = [
    ['/api/v1/events?since=1', 400, 'unknown-parameter'],
    ['/api/v1/events?type=nothing', 400, 'invalid-parameter'],
    ['/api/v1/events?lastEventId=x', 400, 'invalid-parameter'],
    ['/api/v1/events?application=none', 404, 'application-not-found'],
    ['/epr/api/v1/events?application=none', 404, 'application-not-found'],
    ['/events', 404, 'not-found'],
  ];
  for (const [path, status, code] of cases) {
    const answer = await ask(port, path);
    t.match(answer, { status, body: { code } }, path);
    t.ok(answer.headers['x-correlation-id']);
  }
  t.match(await ask(port, '/api/v1/events', { 'sec-websocket-version': '8' }), {
    status: 400,
    headers: { 'sec-websocket-version': '13' },
    body: { code: 'invalid-header', message: /must be 13; found "8"/ },
  });
  t.match(await ask(port, '/api/v1/events', { 'sec-websocket-key': 'short' }), {
    status: 400,
    body: { code: 'invalid-header' },
  });
  t.match(await ask(port, '/api/v1/endpoints'), { status: 200 }, 'what has no WebSocket answers as ever');
  const answered = await ask(port, '/epr/api/v1/events', { 'x-correlation-id': 'mine' });
  t.match(answered, { status: 101, headers: { 'x-correlation-id': 'mine' } });
  // the one that was is gone in a moment
  let first;
  while (first === undefined) first = await follow(t, 'ws', { port }).catch(() => undefined);
  t.match(await ask(port, '/api/v1/events'), {
    status: 429,
    headers: { 'retry-after': '1' },
    body: { code: 'overloaded' },
  });
  const metrics = await (await fetch(`${h.managementOrigin}/metrics`)).text();
  t.match(metrics, /epr_http_event_subscribers 1\n/);
  first.socket.destroy();
  while (!/epr_http_event_subscribers 0\n/.test(await (await fetch(`${h.managementOrigin}/metrics`)).text()));
  t.match(
    await (await fetch(`${h.managementOrigin}/metrics`)).text(),
    /epr_http_requests_total\{route="\/events",method="GET",status="101"\} [2-9]/,
  );
});

void t.test('pages of other hosts', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  const path = '/api/v1/events';
  const status = async (origin: string, host = `127.0.0.1:${port}`) =>
    (await ask(port, path, { origin, host })).status;
  t.equal(await status(`http://127.0.0.1:${port}`), 101);
  t.equal(await status(`http://localhost:${port}`, `localhost:${port}`), 101);
  t.equal(await status('https://localhost', 'localhost:443'), 101, 'behind something that speaks TLS');
  t.equal(await status(`http://localhost:${port}`), 403, 'another name is another host');
  t.equal(await status(`http://127.0.0.1:${port + 1}`), 403, 'and so is another port');
  t.equal(await status('null'), 403);
  t.equal(await status('file://'), 403);
  t.equal(await status('not a url'), 403);
  t.match(await ask(port, path, { origin: 'https://evil.example' }), {
    status: 403,
    body: { code: 'forbidden', message: /"https:\/\/evil.example" may not read.*set server.public-url/ },
  });
  // a name of theirs that points to this machine
  t.match(await ask(port, path, { origin: `http://evil.example:${port}`, host: `evil.example:${port}` }), {
    status: 403,
    body: { message: /may belong to anybody/ },
  });
  t.match(await ask(port, path, { origin: 'https://evil.example' }), { status: 403 });

  const known = await startHarness(t, { publicUrl: 'https://register.example/epr' });
  const { port: other } = known.gateway;
  t.equal((await ask(other, path, { origin: 'https://register.example' })).status, 101);
  t.equal((await ask(other, path, { origin: 'https://evil.example' })).status, 403);

  const access: Access = {
    ...openAccess(),
    authenticates: true,
    authenticate: async () => ({ tenant: 'kaa' }),
    decide: async (_caller, _scope, resources) => resources.map(() => true),
    granted: () => 'all',
  };
  const asking = await startHarness(t, { access });
  const host = `register.example:${asking.gateway.port}`;
  t.equal((await ask(asking.gateway.port, path, { origin: `http://${host}`, host })).status, 101);
});

void t.test('only what the caller may read, whatever the protocol', async (t) => {
  const access: Access = {
    ...openAccess(),
    authenticates: true,
    authenticate: async () => ({ tenant: 'kaa' }),
    decide: async (_caller, scope, resources) =>
      resources.map((resource) => scope !== 'application:read' || resource === 'application-kettle'),
    granted: () => 'all',
  };
  const h = await startHarness(t, { access });
  const { port } = h.gateway;
  const register = (endpointId: string, name: string) =>
    h.call('POST', '/endpoints', { appVersion: { name }, endpointId });
  const before = await follow(t, 'sse', { port });
  const place = before.lastId();
  await register('o1', 'other-v1');
  await register('k1', 'kettle-v1');
  for (const protocol of PROTOCOLS) {
    const client = await follow(t, protocol, { port, query: `?lastEventId=${place}` });
    await register(`o-${protocol}`, 'other-v1');
    await register(`k-${protocol}`, 'kettle-v1');
    await client.until(() => client.told.at(-1)?.data['source'] === `k-${protocol}`);
    t.ok(client.told.every(({ data }) => data['application'] === 'kettle'));
  }
});

void t.test('messages of the client are not taken', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  const speaking = await follow(t, 'ws', { port });
  speaking.socket.write(clientFrame(1, Buffer.from('{"subscribe":{}}')));
  await speaking.closed;
  t.match(speaking.close, { code: 1008, reason: /takes no messages.*URL/ });
  const flooding = await follow(t, 'ws', { port });
  flooding.socket.write(clientFrame(2, Buffer.alloc(60_000)));
  await flooding.closed;
  const pinging = await follow(t, 'ws', { port });
  pinging.socket.write(clientFrame(9, Buffer.from('hello')));
  await registerKettle(h, 'k1');
  await pinging.until(() => pinging.told.length === 1);
  pinging.socket.write(clientFrame(8, Buffer.from([0x03, 0xe8])));
  await pinging.closed;
  t.equal(pinging.close?.code, 1000, 'an orderly end is answered');
});

void t.test('a reader that does not read is dropped, with the reason; others go on', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  await registerKettle(h, 'k1', {});
  const quick = await follow(t, 'ws', { port });
  const slow = await Promise.all([...PROTOCOLS, ...PROTOCOLS].map((each) => follow(t, each, { port })));
  for (const { socket } of slow) socket.pause();
  const dropped = async (): Promise<number> => {
    const metrics = await (await fetch(`${h.managementOrigin}/metrics`)).text();
    return Number(/subscribers_dropped_total (\d+)/.exec(metrics)![1]);
  };
  let changes = 0;
  while ((await dropped()) < slow.length) {
    // 1 MiB here, and what the sockets of both sides hold: no more can wait for a reader
    if (changes > 300) throw new Error('the slow readers were not dropped');
    for (let i = 0; i < 10; i++)
      await h.call('PUT', '/endpoints/k1/metadata/a', `"${changes++}${'x'.repeat(90_000)}"`);
  }
  await quick.until(() => quick.told.length === changes);
  for (const client of slow) {
    client.socket.resume();
    await client.until(() => client.close !== undefined || client.told.at(-1)?.type === 'dropped');
    const farewell = client.close?.reason ?? client.told.at(-1)!.data['reason'];
    t.match(farewell, /the reader is too slow: more than 1 MiB of events wait for it/);
    if (client.close !== undefined) t.equal(client.close.code, 1013);
    // and it can come back to where it was
    const again = await follow(t, 'ws', { port, query: `?lastEventId=${client.lastId()}` });
    await again.until(() => again.told.at(-1)?.id === quick.told.at(-1)!.id);
    const got = client.told.filter(({ type }) => type !== 'dropped').length;
    t.equal(got + again.told.length, changes);
    again.socket.destroy();
  }
});

void t.test('the service stops', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  const socket = await follow(t, 'ws', { port });
  const raw = openRaw(t, port);
  raw.send('GET /api/v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await raw.until(/: welcome/);
  await h.stop();
  await Promise.all([socket.closed, raw.closed]);
  t.same(socket.close, { code: 1001, reason: 'the service is stopping' });
  t.match(raw.received(), /event: dropped\ndata: \{"type":"dropped","reason":"the service is stopping"\}/);
});

void t.test('the description says it all', async (t) => {
  const h = await startHarness(t);
  const document: unknown = (await h.call('GET', '/openapi.json')).json;
  const { get } = (document as { paths: Record<string, { get: Record<string, unknown> }> }).paths['/events']!;
  t.match(get, { description: /As a WebSocket/, responses: { 101: { description: /WebSocket/ } } });
  const parameters = JSON.stringify(get['parameters']);
  for (const name of ['lastEventId', 'Last-Event-ID']) t.ok(parameters.includes(name), name);
});
