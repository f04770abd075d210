import fc from '../fast-check.js';
import t from 'tap';
import { follow, PROTOCOLS, type Protocol, type Told } from './event-clients.js';
import { type Harness, registerKettle, startHarness } from './harness.js';

const ids = (told: readonly Told[]): string[] => told.map(({ id }) => id);
const messageIds = (told: readonly Told[]): unknown[] => told.map(({ data }) => data['messageId']);

async function change(h: Harness, endpointId: string, value: unknown): Promise<void> {
  const answer = await h.call('PUT', `/endpoints/${endpointId}/metadata/a`, JSON.stringify(value));
  if (answer.status !== 200) throw new Error(answer.text);
}

/** Two kettles, a filter that they enter and leave, so that changes have one to three events. */
async function someChanges(h: Harness, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await change(h, `k${1 + (i % 2)}`, i % 3);
}

async function prepare(h: Harness): Promise<string> {
  const created = await h.call('POST', '/applications/kettle/filters', {
    name: 'ones',
    description: '',
    mongoQuery: { metadata: { $elemMatch: { key: 'a', value: 1 } } },
  });
  await registerKettle(h, 'k1', { a: 0 });
  await registerKettle(h, 'k2', { a: 1 });
  return (created.json as { id: string }).id;
}

void t.test('from any cut, over a restart, with either protocol: exactly the rest', async (t) => {
  const folder = `${t.testdir()}/data`;
  const first = await startHarness(t, { folder });
  const all = await follow(t, 'sse', { port: first.gateway.port });
  const filterId = await prepare(first);
  await someChanges(first, 30);
  await registerKettle(first, 'first');
  await all.until(() => all.told.at(-1)?.data['source'] === 'first');
  await first.stop();
  const second = await startHarness(t, { folder });
  // the same client goes on, as if nothing had been
  const { port } = second.gateway;
  const rest = await follow(t, 'sse', { port, headers: { 'Last-Event-ID': all.lastId() } });
  await someChanges(second, 30);
  await registerKettle(second, 'last');
  await rest.until(() => rest.told.at(-1)?.data['source'] === 'last');
  const before = all.told.filter(({ type }) => type !== 'dropped');
  const whole = [...before, ...rest.told];
  t.equal(new Set(messageIds(whole)).size, whole.length, 'nothing twice');
  t.ok(whole.some(({ type }) => type === 'ep-matched') && whole.length > 80);

  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.constantFrom<Protocol>(...PROTOCOLS),
      fc.constantFrom(
        '',
        'endpointId=k2',
        `filterId=${filterId}`,
        'type=metadata-updated',
        'application=other',
      ),
      fc.boolean(),
      async (cut, protocol, query, inHeader) => {
        const from = whole[cut]!.id;
        const expected = whole.slice(cut + 1).filter(({ type, data }) => {
          if (query === 'endpointId=k2') return data['source'] === 'k2';
          if (query.startsWith('filterId')) return data['filterId'] === filterId;
          if (query.startsWith('type')) return type === 'metadata-updated';
          return query === '';
        });
        const resumed = await follow(t, protocol, {
          port,
          query: `?${query}${inHeader ? '' : `&lastEventId=${from}`}`,
          headers: inHeader ? { 'Last-Event-ID': from } : {},
        });
        if (expected.length > 0) await resumed.until(() => resumed.told.length >= expected.length);
        t.same(resumed.told, expected, `${protocol} ${query} behind ${from}`);
        resumed.socket.destroy();
        await resumed.closed;
      },
    ),
    { numRuns: 30 },
  );
});

void t.test('what can not be resumed is told, and what is no id', async (t) => {
  const h = await startHarness(t, { heartbeatMs: 20, recentBytes: 1024 * 1024 });
  const { port } = h.gateway;
  for (const protocol of PROTOCOLS) {
    const unknown = await follow(t, protocol, {
      port,
      query: '?lastEventId=0123456789ab-7.0&type=registered',
    });
    await registerKettle(h, `k-${protocol}`);
    await unknown.until(() => unknown.told.length === 2);
    const [gap, event] = unknown.told;
    t.match(gap, {
      type: 'gap',
      data: { type: 'gap', reason: 'unknown-id', from: gap!.id, message: /does not know/ },
    });
    t.match(event, { type: 'registered', data: { source: `k-${protocol}` } });
    const again = await follow(t, protocol, { port, query: `?type=registered&lastEventId=${gap!.id}` });
    await again.until(() => again.told.length === 1);
    t.same(again.told, [event], 'the gap is a place, too');
  }
  for (const bad of ['k1.1.registered', '0123456789ab-7', '0123456789ab-07.0', 'x'.repeat(3000)]) {
    const answer = await h.call('GET', '/events', undefined, { 'last-event-id': bad });
    t.match(answer.json, { code: 'invalid-header', message: /Last-Event-ID must be the id of an event/ });
    const inQuery = await h.call('GET', `/events?lastEventId=${bad}`);
    t.match(inQuery.json, { code: 'invalid-parameter', details: [{ path: 'lastEventId' }] });
    t.match(inQuery.json, { message: /must be: the id of an event, such as "7f3a9c1e04d2-1041\.0"; found/ });
  }

  const old = await follow(t, 'sse', { port });
  const place = old.lastId();
  old.socket.destroy();
  for (let i = 0; i < 30; i++) await change(h, 'k-sse', 'x'.repeat(40_000) + String(i));
  const late = await follow(t, 'sse', { port, headers: { 'Last-Event-ID': place } });
  await late.until(() => late.told.length > 0);
  t.match(late.told, [{ type: 'gap', data: { reason: 'too-old' } }]);

  const metrics = await (await fetch(`${h.managementOrigin}/metrics`)).text();
  t.match(metrics, /epr_http_event_gaps_total 3/);
  t.match(metrics, /epr_http_event_subscribers_resumed_total 5/);
});

void t.test('a heartbeat moves the place of who sees nothing', async (t) => {
  const h = await startHarness(t, { heartbeatMs: 20 });
  const { port } = h.gateway;
  for (const protocol of PROTOCOLS) {
    const quiet = await follow(t, protocol, { port, query: '?application=other' });
    const place = quiet.lastId();
    await registerKettle(h, `k-${protocol}`);
    await quiet.until(() => quiet.lastId() !== place && quiet.heartbeats() > 1);
    t.same(quiet.told, []);
    const rest = await follow(t, protocol, { port, query: `?lastEventId=${quiet.lastId()}` });
    await registerKettle(h, `l-${protocol}`);
    await rest.until(() => rest.told.length > 0);
    t.equal(rest.told[0]!.data['source'], `l-${protocol}`);
  }
});

void t.test('a long replay to a slow reader takes its time, and others go on', async (t) => {
  const h = await startHarness(t);
  const { port } = h.gateway;
  await registerKettle(h, 'k1', {});
  const whole = await follow(t, 'sse', { port });
  for (let i = 0; i < 100; i++) await change(h, 'k1', `${i}${'x'.repeat(90_000)}`);
  await whole.until(() => whole.told.length === 100);
  const from = whole.told[0]!.id;
  const rest = ids(whole.told).slice(1);
  const before = process.memoryUsage().rss;
  const slow: Awaited<ReturnType<typeof follow>>[] = [];
  for (const protocol of [...PROTOCOLS, ...PROTOCOLS]) {
    const client = await follow(t, protocol, { port, query: `?lastEventId=${from}` });
    client.socket.pause();
    slow.push(client);
  }
  const quick = await follow(t, 'ws', { port, query: `?lastEventId=${from}` });
  await quick.until(() => quick.told.length === 99);
  t.same(ids(quick.told), rest);
  const grown = process.memoryUsage().rss - before;
  // 18 MB of text wait for each of them
  t.ok(grown < 60 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB`);
  await change(h, 'k1', 'end');
  for (const client of slow) {
    client.socket.resume();
    await client.until(() => client.told.length === 100);
    t.same(ids(client.told).slice(0, 99), rest);
    t.match(client.told.at(-1)!.data, { updated: { a: { newValue: '"end"' } } });
  }
});
