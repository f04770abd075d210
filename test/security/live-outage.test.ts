/** Live events of who may read single endpoints only, while the auth server does not say which. */
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type EventClient, follow, type Protocol, PROTOCOLS } from '../gateway/event-clients.js';
import { startHarness } from '../gateway/harness.js';
import { answer, type Behaviour } from '../peers/support.js';
import { makeAccess, startIssuer } from './issuer.js';

void t.test('away, streams end with the reason, and nothing is missed afterwards', async (t) => {
  const h = await start(t);
  const clients = await h.openBoth();
  await h.change('k1', 1);
  await h.change('k2', 1);
  await h.change('k1', 2);
  for (const client of clients) await client.until(() => told(client).length === 2);
  h.behave((response) => void response.destroy());
  for (const client of clients) await hasEnded(t, client, ['k1 1', 'k1 2']);
  await h.change('k1', 3);
  await h.change('k2', 3);
  const refused = await h.ask(clients[0]!.lastId());
  t.equal(refused.status, 503);
  t.match(refused.headers.get('retry-after'), /^\d+$/);
  t.match(await refused.json(), { code: 'auth-server-unavailable' });
  h.grant('k1');
  for (const client of clients) await goesOn(t, h, client, ['k1 3']);
});

void t.test('it does not answer: nothing is told by what was granted before', async (t) => {
  const h = await start(t);
  const clients = await h.openBoth();
  await h.change('k1', 1);
  for (const client of clients) await client.until(() => told(client).length === 1);
  const hanging = await h.hang();
  await h.change('k1', 2);
  await h.change('k2', 2);
  // of one the right was taken away, of the other it was given
  h.grant('k2');
  for (const goOn of hanging) goOn();
  for (const client of clients) {
    await client.until(() => told(client).length === 2);
    t.same(told(client), ['k1 1', 'k2 2']);
  }
  await h.hang();
  await h.change('k2', 3);
  for (const client of clients) await hasEnded(t, client, ['k1 1', 'k2 2']);
  h.grant('k2');
  for (const client of clients) await goesOn(t, h, client, ['k2 3']);
});

void t.test('a replay waits, too', async (t) => {
  const h = await start(t, 600_000);
  const [first] = await h.openBoth();
  const from = first!.lastId();
  // more than sockets hold
  for (let n = 0; n < 120; n++) await h.change('k1', n, `${n}${'x'.repeat(90_000)}`);
  const clients: EventClient[] = [];
  for (const protocol of PROTOCOLS) {
    const client = await h.open(protocol, from);
    client.socket.pause();
    clients.push(client);
  }
  const hanging = await h.hang();
  for (const { socket } of clients) socket.resume();
  for (const client of clients)
    for (let seen = -1; seen !== told(client).length; await pause(300)) seen = told(client).length;
  h.grant('k2');
  for (const goOn of hanging) goOn();
  await h.change('k2', 1);
  for (const client of clients) {
    await client.until(() => told(client).includes('k2 1'));
    t.ok(told(client).length < 121, `${told(client).length} were on their way`);
  }
});

void t.test('what waits is bounded: the stream ends before', async (t) => {
  const h = await start(t, 600_000);
  const clients = await h.openBoth();
  await h.hang();
  const lines = Array.from({ length: 10_001 }, (_, n) => `{"endpointId":"k1","set":{"n":${n}}}\n`);
  await h.send('POST', '/endpoints/metadata/batch', lines.join(''), 'application/x-ndjson');
  for (const client of clients) await hasEnded(t, client, [], /takes too long/);
});

type Outage = Awaited<ReturnType<typeof start>>;

/** Two endpoints, `k1` of which may be read; what was said of it is kept for less than a review. */
async function start(t: Test, patienceMs?: number) {
  const issuer = await startIssuer(t, 'kaa');
  const scopes = ['application:endpoint:create', 'application:read', 'endpoint:read', 'endpoint:update'];
  const { access } = makeAccess(
    t,
    { kaa: issuer },
    {
      clientId: 'epr',
      roleGrants: { admin: scopes },
      cacheMs: 40,
      ...(patienceMs === undefined ? {} : { patienceMs }),
    },
  );
  const h = await startHarness(t, { access, reviewMs: 50 });
  const { port } = h.gateway;
  const bearer = async (role: string) => ({
    authorization: `Bearer ${await issuer.token({ realm_access: { roles: [role] } })}`,
  });
  const [admin, reader] = [await bearer('admin'), await bearer('none')];
  const witness = await follow(t, 'sse', { port, headers: admin });
  const send = async (method: string, path: string, body: unknown, type = 'application/json') => {
    const { status, text } = await h.call(method, path, body, { ...admin, 'content-type': type });
    if (status >= 300) throw new Error(text);
  };
  for (const endpointId of ['k1', 'k2'])
    await send('POST', '/endpoints', { appVersion: { name: 'kettle-v1' }, endpointId });
  let decides: Behaviour;
  const query = '?application=kettle&type=metadata-updated';
  const open = (protocol: Protocol, from?: string) =>
    follow(t, protocol, {
      port,
      query: from === undefined ? query : `${query}&lastEventId=${from}`,
      headers: reader,
    });
  const outage = {
    open,
    openBoth: (from?: string) => Promise.all(PROTOCOLS.map((protocol) => open(protocol, from))),
    send,
    ask: (from: string) =>
      fetch(`${h.origin}/api/v1/events${query}`, { headers: { ...reader, 'last-event-id': from } }),
    /** Resolves when all who listen were told of it. */
    async change(endpointId: string, n: number, more = '') {
      await send('PUT', `/endpoints/${endpointId}/metadata`, { n, more });
      await witness.until(() => told(witness).at(-1) === `${endpointId} ${n}`);
    },
    behave: (behaviour: Behaviour) => issuer.decide(behaviour),
    grant(endpointId: string) {
      decides = (response, asked) =>
        answer(
          200,
          asked.body.includes('response_mode=decision')
            ? { result: true }
            : [{ rsname: `endpoint-${endpointId}`, scopes: ['endpoint:read'] }],
        )(response, asked);
      issuer.decide(decides);
    },
    /** From now on no question is answered; resolves when the first has come. Each of what it answers answers one. */
    async hang() {
      const hanging: (() => void)[] = [];
      issuer.decide((response, asked) => void hanging.push(() => decides(response, asked)));
      while (hanging.length === 0) await pause(5);
      return hanging;
    },
  };
  outage.grant('k1');
  return outage;
}

const told = (client: EventClient): string[] =>
  client.told
    .filter(({ type }) => type === 'metadata-updated')
    .map(({ data }) => `${data['endpointId'] as string} ${nOf(data)}`);

function nOf({ added, updated }: Record<string, unknown>): string {
  const { n } = added as Record<string, string>;
  return n ?? (updated as Record<string, { newValue: string }>)['n']!.newValue;
}

async function hasEnded(
  t: Test,
  client: EventClient,
  events: readonly string[],
  why = /did not say whether the caller may do this/,
): Promise<void> {
  await client.closed;
  t.same(told(client), events);
  const last = client.told.at(-1);
  if (client.close === undefined) t.match([last?.type, last?.data['reason']], ['dropped', why]);
  else t.match(client.close, { code: 1013, reason: why });
}

/** Who comes back is told what it missed, and nothing else. */
async function goesOn(t: Test, h: Outage, client: EventClient, events: readonly string[]): Promise<void> {
  const from = client.lastId();
  for (;;) {
    const { status, body } = await h.ask(from);
    await body?.cancel();
    if (status === 200) break;
    // the auth server is left alone for a while
    t.equal(status, 503);
    await pause(100);
  }
  const again = await h.open(client.close === undefined ? 'sse' : 'ws', from);
  await again.until(() => told(again).length >= events.length);
  t.same(told(again), events);
  t.notOk(again.told.some(({ type }) => type === 'gap'));
  again.socket.destroy();
}
