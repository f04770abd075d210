import { pino } from 'pino';
import t, { type Test } from 'tap';
import { createCredentialManagement, type PeerLimits } from '../../src/peers/index.js';
import type { Issued, TokenWish } from '../../src/register/index.js';
import { startCredentialServer } from './credential-server.js';
import { answer, type Behaviour, half, hang, makeClient, reset } from './support.js';

const WISH: TokenWish = { tenant: 'kaa', application: 'app', endpointId: 'e', correlationId: 'c-1' };
type Deps = Parameters<typeof createCredentialManagement>[0];

async function start(
  t: Test,
  { limits = {}, path = '', ...slots }: { limits?: Partial<PeerLimits>; path?: string } & Partial<Deps> = {},
) {
  const server = await startCredentialServer(t);
  const { client, lines, count } = makeClient(t, { url: server.url + path, hasSecrets: true, limits });
  const own: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void own.push(line) });
  const issuer = createCredentialManagement({ client, log, ...slots });
  const issue = async (wish: Partial<TokenWish> = {}): Promise<Issued> => issuer.issue({ ...WISH, ...wish });
  return {
    server,
    issuer,
    issue,
    count,
    logged: () => [...own, ...lines.map((line) => JSON.stringify(line))],
  };
}

/** Of what did not come to a token: its cause or its code. */
const whyNot = (issued: Issued) =>
  issued.kind === 'refused' ? issued.code : issued.kind === 'unissued' ? issued.cause : issued.token;

void t.test('a token that is made, and one that is given', async (t) => {
  const { server, issue, issuer } = await start(t, { path: '/cm/' });
  t.equal(issuer.repeatable, false);
  server.behave((response, asked) => server.works(response, { ...asked, url: asked.url.replace('/cm', '') }));
  t.same(await issue(), { kind: 'issued', token: 'cm-1' });
  t.same(await issue({ endpointId: 'a.~_-B', token: 'gi"ven ü' }), { kind: 'issued', token: 'gi"ven ü' });
  const [first, second] = server.asked;
  t.equal(first?.url, '/cm/api/v1/endpoints/e/tokens');
  t.equal(first?.method, 'POST');
  t.match(first?.headers, { 'x-correlation-id': 'c-1', 'content-type': 'application/json' });
  t.same(JSON.parse(first!.body), { applicationName: 'app' });
  t.equal(second?.url, '/cm/api/v1/endpoints/a.~_-B/tokens');
  t.same(JSON.parse(second!.body), { applicationName: 'app', token: 'gi"ven ü' });
});

void t.test('what would lead to another place is never asked', async (t) => {
  const { server, issue } = await start(t);
  for (const endpointId of ['..', '.', '']) t.equal(whyNot(await issue({ endpointId })), 'token-refused');
  await issue({ endpointId: '../x?y#z%2e' });
  t.same(
    server.asked.map(({ url }) => url),
    ['/api/v1/endpoints/..%2Fx%3Fy%23z%252e/tokens'],
  );
});

void t.test('what it refuses', async (t) => {
  const { server, issue, logged } = await start(t);
  await issue({ token: 'given-1' });
  const taken = await issue({ endpointId: 'f', token: 'given-1' });
  t.match(taken, { kind: 'refused', code: 'token-taken', message: /has this token already .*another one/ });
  server.behave(answer(409, { message: 'has one' }));
  t.match(await issue(), {
    kind: 'refused',
    code: 'token-taken',
    message: /no token to this endpoint.*has one/,
  });
  for (const status of [400, 413, 422]) {
    server.behave(answer(status, { message: 'too short: giv"en-2' }));
    const refused = await issue({ token: 'giv"en-2' });
    t.match(refused, { kind: 'refused', code: 'token-refused', message: /too short/ });
    t.notMatch(JSON.stringify(refused), /en-2/, 'messages do not show the token');
  }
  for (const status of [302, 401, 403, 404, 405]) {
    server.behave(
      answer(status, { message: 'given-3, Basic c2VjcmV0' }, { location: 'http://127.0.0.1:1/' }),
    );
    const failed = await issue({ token: 'given-3' });
    t.match(failed, { kind: 'unissued', cause: 'failed', message: String(status) });
    t.notMatch(JSON.stringify(failed), /c2VjcmV0/, 'what it says of our credentials is not for callers');
  }
  const errors = logged().filter((line) => line.includes('does not answer as it should'));
  t.equal(errors.length, 1, 'an operator is told, and not with every request');
  t.notMatch(logged().join('\n'), /given-|c2VjcmV0/);
});

void t.test('answers that are none', async (t) => {
  const { server, issue } = await start(t, { limits: { maxAnswerBytes: 2000 } });
  const wrong: Record<string, Behaviour> = {
    'no JSON': answer(200, 'a token'),
    nothing: answer(204, ''),
    'no token': answer(200, {}),
    'a number': answer(200, { token: 1 }),
    'an empty token': answer(200, { token: '' }),
    'what no token may hold': answer(200, { token: 'a/b' }),
    'a line break': answer(200, { token: 'abc\r\nX-Admin: 1' }),
    'a control character': answer(200, { token: 'a\u0000b' }),
    'one that turns the text around': answer(200, { token: 'a\u202eb' }),
    'a space at its end': answer(200, { token: 'ab ' }),
    'too long': answer(200, { token: 'a'.repeat(257) }),
    'too large': answer(200, { token: 'a', more: 'b'.repeat(3000) }),
    'of another endpoint': answer(200, { token: 'a', endpointId: 'f' }),
  };
  for (const [name, behaviour] of Object.entries(wrong)) {
    server.behave(behaviour);
    t.equal(whyNot(await issue()), 'failed', name);
  }
  server.behave(answer(200, { token: 'mine' }));
  t.equal(whyNot(await issue({ token: 'given' })), 'failed', 'another one than was given');
});

void t.test('when it is away, and when nobody knows', async (t) => {
  const limits = { attemptMs: 100, failuresToOpen: 1000, attempts: 2 };
  const { server, issue, logged } = await start(t, { limits });
  const ways: [Behaviour, string, number][] = [
    [hang, 'failed', 1],
    [reset, 'failed', 1],
    [half, 'failed', 1],
    [answer(500, { message: 'Duplicate entry given-1' }), 'failed', 1],
    [answer(503, ''), 'failed', 1],
    [answer(429, ''), 'away', 1],
    [answer(429, '', { 'retry-after': '0' }), 'away', 2],
    [answer(503, '', { 'retry-after': '0' }), 'away', 2],
  ];
  for (const [behaviour, expected, times] of ways) {
    server.behave(behaviour);
    const before = server.asked.length;
    const issued = await issue({ token: 'given-1' });
    const { message } = issued as { message: string };
    t.equal(whyNot(issued), expected, message);
    t.equal(server.asked.length - before, times, 'what may have been done is not asked again');
    t.match(message, expected === 'away' ? /Nothing was registered/ : /may have been issued/);
  }
  server.behave(server.works);
  server.server.closeAllConnections();
  await new Promise((resolve) => server.server.close(resolve));
  await issue({ token: 'given-1' });
  t.equal(whyNot(await issue({ token: 'given-1' })), 'away', 'nobody listens');
  t.notMatch(logged().join('\n'), /given-/);
});

void t.test('one that fails time after time is left alone', async (t) => {
  const { server, issue, count } = await start(t, {
    limits: { failuresToOpen: 3, openFirstMs: 50, openMostMs: 50 },
  });
  server.behave(answer(500, ''));
  for (let i = 0; i < 3; i++) t.equal(whyNot(await issue()), 'failed');
  t.equal(server.asked.length, 3);
  server.behave(server.works);
  t.equal(whyNot(await issue()), 'away');
  t.equal(server.asked.length, 3, 'it is not asked');
  t.equal(await count('circuit-open'), 1);
  while (whyNot(await issue()) !== 'cm-1') await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(server.asked.length, 4, 'and later it is');
});

void t.test('callers wait in a bounded line, and batches have another one', async (t) => {
  const { server, issue } = await start(t, {
    singles: { atOnce: 2, maxWaiting: 3, waitMs: 60_000 },
    tasks: { atOnce: 2 },
  });
  const held: (() => void)[] = [];
  const hold: Behaviour = (response, asked) => void held.push(() => server.works(response, asked));
  server.behave(hold);
  const callers = Array.from({ length: 5 }, (_, i) => issue({ endpointId: `s${i}` }));
  const full = await issue({ endpointId: 's5' });
  t.match(full, { kind: 'unissued', cause: 'too-many', message: /3 registrations wait/ });
  const ofTasks = Array.from({ length: 20 }, (_, i) => issue({ endpointId: `b${i}`, isOfTask: true }));
  const until = async (count: number) => {
    while (held.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(4);
  t.same(
    server.asked.map(({ url }) => url.split('/')[4]).sort(),
    ['b0', 'b1', 's0', 's1'],
    'so many at once',
  );
  server.behave(server.works);
  for (const go of held) go();
  t.ok(
    [...(await Promise.all(callers)), ...(await Promise.all(ofTasks))].every(({ kind }) => kind === 'issued'),
  );
  t.ok(server.connections() < 25, `25 requests over ${server.connections()} connections`);
});

void t.test('a line that does not move, and a caller who goes', async (t) => {
  const { server, issue } = await start(t, {
    limits: { attemptMs: 300 },
    singles: { atOnce: 1, maxWaiting: 3, waitMs: 20 },
    tasks: { atOnce: 1 },
  });
  server.behave(hang);
  const first = issue();
  t.equal(whyNot(await issue()), 'away', 'after its time it waits no longer');
  t.equal(whyNot(await first), 'failed');
  const off = new AbortController();
  const cancelled = [1, 2].map(() => issue({ isOfTask: true, signal: off.signal }));
  off.abort();
  const whys = (await Promise.all(cancelled)).map(whyNot);
  t.notOk(whys.includes('too-many'), whys.join());
  t.equal(whyNot(await issue({ isOfTask: true, signal: off.signal })), 'away');
  server.behave(server.works);
  t.match(await issue({ isOfTask: true }), { kind: 'issued' }, 'the place is free again');
});

void t.test(
  'one that hangs: nobody waits for longer than one call may, and it is left alone then',
  async (t) => {
    const callerMs = 1_000;
    const { server, issue, count } = await start(t, {
      limits: { attemptMs: callerMs, callMs: 10 * callerMs, openFirstMs: 60_000, openMostMs: 60_000 },
      singles: { atOnce: 16, maxWaiting: 1000, waitMs: callerMs / 2 },
      callerMs,
    });
    server.behave(hang);
    const order: string[] = [];
    const ask = async (name: string) => {
      const issued = await issue({ endpointId: name });
      order.push(name);
      return whyNot(issued);
    };
    const at = Array.from({ length: 16 }, (_, i) => ask(`asked-${i}`));
    const line = Array.from({ length: 20 }, (_, i) => ask(`waits-${i}`));
    t.same(new Set(await Promise.all(line)), new Set(['away']), 'who waited has nothing that may be done');
    t.same(new Set(await Promise.all(at)), new Set(['failed']));
    t.match(
      order.slice(0, 20).join(),
      /^(waits-\d+,?){20}$/,
      'and is answered before those that it waited for',
    );
    t.equal(server.asked.length, 16);
    t.equal(await count('timeout'), 16);
    t.equal(whyNot(await issue()), 'away');
    t.equal(await count('circuit-open'), 1);
    t.equal(server.asked.length, 16);
  },
);

void t.test('who waits while others are answered is told that there are too many', async (t) => {
  const { server, issue } = await start(t, { singles: { atOnce: 1, maxWaiting: 1000, waitMs: 300 } });
  const slow: Behaviour = (response, asked) => void setTimeout(() => server.works(response, asked), 100);
  server.behave(slow);
  const came = await Promise.all(Array.from({ length: 20 }, (_, i) => issue({ endpointId: `e${i}` })));
  const whys = came.map(whyNot);
  t.ok(
    whys.some((why) => why.startsWith('cm-')),
    whys.join(),
  );
  t.ok(whys.includes('too-many'), whys.join());
  t.notOk(whys.includes('failed') || whys.includes('away'), whys.join());
});
