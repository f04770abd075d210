import { createServer } from 'node:net';
import { once } from 'node:events';
import { Type } from '@sinclair/typebox';
import t from 'tap';
import type { PeerRequest } from '../../src/peers/index.js';
import { readRetryAfter } from '../../src/peers/exchange.js';
import { answer, half, hang, makeClient, reset, startPeerServer } from './support.js';

const Token = Type.Object({ token: Type.String({ minLength: 1 }) });
const read: PeerRequest<typeof Token> = {
  method: 'GET',
  path: ['api', 'v1', 'a b'],
  answer: Token,
  correlationId: 'c-1',
};
const make: PeerRequest<typeof Token> = {
  ...read,
  method: 'POST',
  body: { applicationName: 'app' },
};
const good = answer(200, { token: 'x', more: 1 });

void t.test('a call: path, query, body, headers, a kept connection, metrics', async (t) => {
  const server = await startPeerServer(t, good);
  let tokens = 0;
  const { client, count, metric } = makeClient(t, {
    url: `${server.url}/base/`,
    token: { get: async () => `token-${++tokens}`, refused: () => undefined },
  });
  t.same(await client.call({ ...read, query: { name: 'a&b', of: 'ü' } }), {
    kind: 'ok',
    status: 200,
    value: { token: 'x', more: 1 },
  });
  t.match(await client.call({ ...make, correlationId: `line\r\nx-evil: 1 ü${'x'.repeat(100_000)}` }), {
    kind: 'ok',
  });
  const [first, second] = server.asked;
  t.equal(first?.url, '/base/api/v1/a%20b?name=a%26b&of=%C3%BC');
  t.match(first?.headers, {
    authorization: 'Bearer token-1',
    'x-correlation-id': 'c-1',
    accept: 'application/json',
  });
  t.equal(first?.headers['content-type'], undefined);
  t.match(second, { method: 'POST', body: '{"applicationName":"app"}' });
  t.match(second?.headers, {
    authorization: 'Bearer token-2',
    'content-type': 'application/json',
    'x-correlation-id': `line??x-evil: 1 ?${'x'.repeat(239)}`,
  });
  t.equal(second?.headers['x-evil'], undefined);
  for (let i = 0; i < 20; i++) await client.call(read);
  t.equal(server.connections() <= 2, true, 'connections are used again');
  t.equal(await count('ok'), 22);
  t.equal(await metric('epr_peer_circuit', { state: 'closed' }), 1);
  t.equal(await metric('epr_peer_calls_pending'), 0);
  t.equal((await metric('epr_peer_request_seconds')) > 0, true);
});

void t.test('without a token provider nothing is sent, but what the URL has', async (t) => {
  const server = await startPeerServer(t, good);
  await makeClient(t, { url: server.url }).client.call(read);
  await makeClient(t, { url: server.url.replace('//', '//me:se%20cret@') }).client.call(read);
  t.equal(server.asked[0]?.headers.authorization, undefined);
  t.equal(server.asked[1]?.headers.authorization, `Basic ${Buffer.from('me:se cret').toString('base64')}`);
});

void t.test('a token that can not be had', async (t) => {
  const server = await startPeerServer(t, good);
  const failing = makeClient(t, {
    url: server.url,
    token: {
      get: async () => {
        throw new Error('the auth server is away');
      },
      refused: () => undefined,
    },
  });
  t.match(await failing.client.call(read), {
    kind: 'unavailable',
    cause: 'no-token',
    mayBeDone: false,
    message: /away/,
  });
  const hanging = makeClient(t, {
    url: server.url,
    token: { get: () => new Promise(() => undefined), refused: () => undefined },
    limits: { attemptMs: 20 },
  });
  t.match(await hanging.client.call(read), { kind: 'unavailable', cause: 'no-token' });
  t.equal(server.asked.length, 0);
  t.equal(await hanging.count('no-token'), 1);
});

void t.test('a token that the peer refuses is another one the next time, which is once', async (t) => {
  const server = await startPeerServer(t, (response, asked) =>
    asked.headers.authorization === 'Bearer new' ? good(response, asked) : answer(401, {})(response, asked),
  );
  let tokens = ['old', 'new'];
  const refused: string[] = [];
  const token = {
    get: async () => tokens[0],
    refused: (text: string) => {
      refused.push(text);
      tokens = tokens.slice(1);
    },
  };
  const { client } = makeClient(t, { url: server.url, token });
  t.match(await client.call(make), { kind: 'ok' }, 'a refusal has done nothing');
  t.same(refused, ['old']);
  tokens = ['older', 'old', 'new'];
  t.match(await client.call(make), { kind: 'refused', status: 401 });
  t.equal(server.asked.length, 4);
  const given = { ...make, token: { ...token, get: async () => undefined } };
  t.match(await client.call(given), { kind: 'refused', status: 401 });
  t.equal(server.asked.at(-1)?.headers.authorization, undefined, 'none is sent where there is none');
});

void t.test('names that a server would take for another place are not sent', async (t) => {
  const server = await startPeerServer(t, good);
  const { client } = makeClient(t, { url: server.url });
  for (const segment of ['.', '..', '', '\ud800'])
    t.match(await client.call({ ...read, path: ['api', segment] }), { kind: 'refused', status: 400 });
  await client.call({ ...read, path: ['api', '../x?y#z'] });
  t.same(
    server.asked.map(({ url }) => url),
    ['/api/..%2Fx%3Fy%23z'],
  );
});

void t.test('refusals of the peer are final, and said', async (t) => {
  const server = await startPeerServer(t);
  const { client, count } = makeClient(t, { url: server.url });
  for (const status of [302, 400, 401, 403, 404, 409]) {
    server.behave(answer(status, { message: 'no\n\u0007way' }));
    t.match(await client.call(read), {
      kind: 'refused',
      status,
      message: `${status} {"message":"no\\n\\u0007way"}`,
    });
  }
  server.behave(answer(404, `<html>\n\r\u0007${'x'.repeat(5000)}`));
  const refused = await client.call(read);
  t.match(refused, { message: /^404 <html> x+\.\.\.$/ });
  t.notOk('json' in (await client.call({ ...read, wantsRefusal: true })), 'it is no JSON');
  server.behave(answer(400, { error: 'invalid_resource' }));
  t.match(await client.call({ ...read, wantsRefusal: true }), { json: { error: 'invalid_resource' } });
  t.equal(server.asked.length, 9);
  t.equal(await count('refused'), 9);
});

void t.test('answers that are not what they must be', async (t) => {
  const server = await startPeerServer(t);
  const { client, count } = makeClient(t, { url: server.url, limits: { maxAnswerBytes: 2000 } });
  const bodies = [
    '',
    'not json',
    '{"token":"a","token":"b"}',
    '{"token":""}',
    '{"token":1}',
    '[]',
    '{"__proto__":{},"token":"a"}',
    `{"token":"a","more":${'['.repeat(100)}${']'.repeat(100)}}`,
    `{"token":"${'x'.repeat(3000)}"}`,
  ];
  for (const body of bodies) {
    server.behave(answer(200, body));
    t.match(await client.call(read), { kind: 'malformed', status: 200, message: String }, body.slice(0, 40));
  }
  server.behave((response) => {
    // without an end: it is given up at the bound
    response.writeHead(200);
    const more = () => void (response.destroyed || (response.write('x'.repeat(1000)), setImmediate(more)));
    more();
  });
  t.match(await client.call(read), { kind: 'malformed', message: /2000 bytes/ });
  server.behave(answer(404, 'y'.repeat(3000)));
  t.match(await client.call(read), { kind: 'refused', status: 404, message: /2000 bytes/ });
  t.equal(await count('malformed'), bodies.length + 1);
  t.equal(server.asked.length, bodies.length + 2);
  t.equal(client.status().circuit, 'closed');
});

void t.test('what is safe is tried again', async (t) => {
  const server = await startPeerServer(t);
  const { client, count } = makeClient(t, { url: server.url, limits: { failuresToOpen: 100 } });
  server.behave(reset, half, answer(503, ''), good);
  t.match(await client.call(read), { kind: 'ok' });
  t.equal(server.asked.length, 4);
  t.same([await count('broken'), await count('server-error'), await count('ok')], [2, 1, 1]);

  server.behave(reset, good);
  t.match(await client.call({ ...make, idempotent: true }), { kind: 'ok' });
  t.equal(server.asked.length, 6);

  server.behave(answer(500, 'oops'));
  t.match(await client.call(read), {
    kind: 'unavailable',
    cause: 'server-error',
    message: '500 oops',
    mayBeDone: true,
  });
  t.equal(server.asked.length, 10, 'as often as the limit says');
});

void t.test('what may be done by now is not', async (t) => {
  const server = await startPeerServer(t);
  const { client } = makeClient(t, { url: server.url, limits: { failuresToOpen: 100 } });
  const cases = [
    [reset, 'broken'],
    [half, 'broken'],
    [answer(500, ''), 'server-error'],
    [answer(503, ''), 'server-error'],
    [answer(429, ''), 'overloaded'],
  ] as const;
  for (const [behaviour, cause] of cases) {
    server.behave(behaviour);
    t.match(await client.call(make), { kind: 'unavailable', cause, mayBeDone: true });
  }
  t.equal(server.asked.length, cases.length);

  server.behave(hang);
  const { client: hasty } = makeClient(t, { url: server.url, limits: { attemptMs: 1000 } });
  t.match(await hasty.call(make), { kind: 'unavailable', cause: 'timeout', mayBeDone: true });
  t.equal(server.asked.length, cases.length + 1);
});

void t.test('429 and 503 that say when to come back are tried again then, whatever was asked', async (t) => {
  const server = await startPeerServer(t);
  const { client } = makeClient(t, { url: server.url });
  for (const status of [429, 503]) {
    server.behave(answer(status, '', { 'retry-after': '1' }), good);
    const beganMs = performance.now();
    t.match(await client.call(make), { kind: 'ok' });
    t.equal(performance.now() - beganMs >= 1000, true);
  }
  server.behave(answer(429, '', { 'retry-after': '60' }));
  t.match(
    await client.call(make),
    { kind: 'unavailable', cause: 'overloaded', retryAfterMs: 60_000, mayBeDone: false },
    'longer than the call may take: the caller is told',
  );
  t.equal(server.asked.length, 5);
  t.equal(readRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', Date.parse('1994-11-06T08:49:30Z')), 7000);
  t.equal(readRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT'), 0);
  t.equal(readRetryAfter('soon'), undefined);
  t.equal(readRetryAfter(undefined), undefined);
});

void t.test('an earlier attempt that may have been done is not forgotten', async (t) => {
  const server = await startPeerServer(t, hang, answer(429, '', { 'retry-after': '60' }));
  const { client } = makeClient(t, { url: server.url, limits: { attemptMs: 2000 } });
  t.match(await client.call(read), { kind: 'unavailable', cause: 'overloaded', mayBeDone: true });
});

void t.test('nobody listens: surely not done, so even a POST is tried again', async (t) => {
  const server = await startPeerServer(t, good);
  server.server.close();
  await once(server.server, 'close');
  const { client, count } = makeClient(t, { url: server.url, limits: { attempts: 3 } });
  t.match(await client.call(make), {
    kind: 'unavailable',
    cause: 'unreachable',
    mayBeDone: false,
    message: /ECONNREFUSED/,
  });
  t.equal(await count('unreachable'), 3);
  const nowhere = makeClient(t, { url: 'http://no-such-host.invalid', limits: { attempts: 1 } });
  t.match(await nowhere.client.call(make), { kind: 'unavailable', cause: 'unreachable', mayBeDone: false });
});

void t.test('a server that takes connections and says nothing of TLS', async (t) => {
  const mute = createServer((socket) => socket.on('error', () => undefined).end('no TLS here'));
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  t.teardown(() => mute.close());
  const { port } = mute.address() as { port: number };
  const { client } = makeClient(t, { url: `https://127.0.0.1:${port}`, limits: { attempts: 1 } });
  t.match(await client.call(make), { kind: 'unavailable', cause: 'unreachable', mayBeDone: false });
});

void t.test('a peer that hangs costs the time of the call, no more', async (t) => {
  const server = await startPeerServer(t, hang);
  const { client } = makeClient(t, {
    url: server.url,
    limits: { attemptMs: 500, callMs: 2000, failuresToOpen: 100, attempts: 100 },
  });
  t.match(await client.call(read), { kind: 'unavailable', cause: 'timeout', mayBeDone: true });
  t.equal(server.asked.length >= 2, true);
});

void t.test('the circuit: opens after failures in a row, lets one through, closes', async (t) => {
  const server = await startPeerServer(t, reset);
  const { client, count, lines, metric } = makeClient(t, {
    url: server.url,
    limits: { attempts: 1, failuresToOpen: 3, openFirstMs: 1500, openMostMs: 1500 },
  });
  for (let i = 0; i < 3; i++) t.match(await client.call(read), { cause: 'broken' });
  t.match(client.status(), { circuit: 'open', error: String });
  t.equal(await metric('epr_peer_circuit', { state: 'open' }), 1);
  t.match(await client.call(read), { kind: 'unavailable', cause: 'circuit-open', mayBeDone: false });
  t.equal(server.asked.length, 3, 'nothing was sent');
  t.equal(await count('circuit-open'), 1);

  server.behave(good);
  const answers = async () => Promise.all([1, 2, 3].map(() => client.call(read)));
  while (!(await answers()).every(({ kind }) => kind === 'ok'))
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.same(client.status(), { circuit: 'closed' });
  t.equal(lines.filter(({ level }) => level === 40).length, 1);
  t.equal(lines.filter(({ msg }) => msg === 'peer answers again.').length, 1);

  server.behave(answer(429, ''));
  for (let i = 0; i < 5; i++) await client.call(read);
  t.equal(client.status().circuit, 'closed', 'who says that it is busy is there');
});

void t.test('who waits for the call that tries a circuit waits no longer than its own time', async (t) => {
  const server = await startPeerServer(t, answer(500, ''));
  const { client, count } = makeClient(t, {
    url: server.url,
    limits: { failuresToOpen: 1, openFirstMs: 20, openMostMs: 20, attempts: 1 },
  });
  await client.call(make);
  let release: (() => void) | undefined;
  server.behave((response, asked) => (release = () => good(response, asked)), good);
  let came: string | undefined;
  const trying = async () => {
    for (;;) {
      const { kind } = await client.call(make);
      if (kind === 'ok') return (came = kind);
    }
  };
  const tried = trying();
  while (release === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  const gone = new AbortController();
  const waiting = Array.from({ length: 5 }, () => client.call({ ...make, callMs: 30 }));
  const calledOff = client.call({ ...make, signal: gone.signal });
  gone.abort();
  for (const answer of await Promise.all(waiting))
    t.match(answer, { kind: 'unavailable', cause: 'circuit-open', mayBeDone: false });
  t.match(await calledOff, { cause: 'cancelled', mayBeDone: false });
  t.equal(came, undefined, 'it is still tried');
  release();
  t.equal(await tried, 'ok');
  t.match(await client.call(make), { kind: 'ok' }, 'those that went by do not open it again');
  t.equal(client.status().circuit, 'closed');
  t.equal(await count('timeout'), 0);
});

void t.test('bounded: more calls than that are answered at once', async (t) => {
  const server = await startPeerServer(t, hang);
  const { client, count } = makeClient(t, { url: server.url, limits: { maxPending: 50, connections: 2 } });
  const abort = new AbortController();
  const calls = Array.from({ length: 60 }, () => client.call({ ...read, signal: abort.signal }));
  t.match(await calls[59], { kind: 'unavailable', cause: 'too-many', mayBeDone: false });
  while (server.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(server.connections(), 2);
  abort.abort();
  const causes = (await Promise.all(calls)).map((result) =>
    result.kind === 'unavailable' ? result.cause : result.kind,
  );
  t.equal(causes.filter((cause) => cause === 'cancelled').length, 50);
  t.equal(await count('too-many'), 10);
  t.equal(server.asked.length, 2);
});

void t.test('closing ends what is under way', async (t) => {
  const server = await startPeerServer(t, hang);
  const { client } = makeClient(t, { url: server.url });
  const call = client.call(read);
  while (server.asked.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await client.close();
  t.match(await call, { kind: 'unavailable', cause: 'cancelled', mayBeDone: true });
  t.match(await client.call(read), { kind: 'unavailable', cause: 'cancelled', mayBeDone: false });
});
