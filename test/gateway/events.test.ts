/* eslint-disable @typescript-eslint/no-unsafe-member-access -- answers are JSON of any shape */
import t from 'tap';
import { type RawConnection, openRaw, registerKettle, startHarness } from './harness.js';

function subscribe(raw: RawConnection, query = ''): Promise<string> {
  raw.send(`GET /api/v1/events${query} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return raw.until(/: welcome/);
}

interface Event {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

function eventsOf(raw: RawConnection): Event[] {
  return [...raw.received().matchAll(/id: (.*)\nevent: (.*)\ndata: (.*)\n\n/g)].map((match) => ({
    id: match[1]!,
    event: match[2]!,
    data: JSON.parse(match[3]!) as Record<string, unknown>,
  }));
}

void t.test('events as they happen, to whom they are of interest', async (t) => {
  const h = await startHarness(t, { heartbeatMs: 50 });
  const all = openRaw(t, h.gateway.port);
  const one = openRaw(t, h.gateway.port);
  const other = openRaw(t, h.gateway.port);
  const greeting = await subscribe(all);
  t.match(greeting, /200 OK/);
  t.match(greeting, /content-type: text\/event-stream/i);
  await subscribe(one, '?endpointId=k2&type=metadata-updated&type=unregistered&application=kettle');
  await subscribe(other, '?application=other');
  await registerKettle(h, 'k1', { a: 1 });
  await registerKettle(h, 'k2', { a: 1 });
  await h.call('PUT', '/endpoints/k2/metadata/a', '2', { 'x-correlation-id': 'order 66' });
  await h.call('DELETE', '/endpoints/k2');
  await one.until(/event: unregistered/);
  await all.until(/event: unregistered/);
  t.same(
    eventsOf(all).map(({ data }) => (data['messageId'] as string).replace(/\.\d+\./, '.N.')),
    ['k1.N.registered', 'k2.N.registered', 'k2.N.metadata-updated', 'k2.N.unregistered'],
  );
  t.same(
    eventsOf(one).map(({ event }) => event),
    ['metadata-updated', 'unregistered'],
  );
  t.match(eventsOf(one)[0]?.data, {
    type: 'metadata-updated',
    source: 'k2',
    application: 'kettle',
    endpointId: 'k2',
    correlationId: 'order 66',
    updated: { a: { newValue: '2', oldValue: '1' } },
  });
  t.same(eventsOf(other), []);
  await other.until(/: heartbeat/);

  const created = await h.call('POST', '/applications/kettle/filters', {
    name: 'f',
    mongoQuery: { metadata: { $elemMatch: { key: 'a', value: 1 } } },
  });
  await all.until(/event: filter-activated/);
  const watching = openRaw(t, h.gateway.port);
  await subscribe(watching, `?filterId=${created.json.id}`);
  await h.call('PUT', '/endpoints/k1/metadata/a', '5');
  await watching.until(/event: ep-unmatched/);
  t.same(
    eventsOf(watching).map(({ event, data }) => [event, data['endpointId'], data['filterId']]),
    [['ep-unmatched', 'k1', created.json.id]],
  );
});

void t.test('what can not be subscribed to', async (t) => {
  const h = await startHarness(t, { eventSubscribers: 1 });
  t.equal((await h.call('GET', '/events?application=none')).json.code, 'application-not-found');
  t.equal((await h.call('GET', '/events?type=nothing')).json.code, 'invalid-parameter');
  t.equal((await h.call('GET', '/events?since=1')).json.code, 'unknown-parameter');
  const first = openRaw(t, h.gateway.port);
  await subscribe(first);
  const refused = await h.call('GET', '/events');
  t.equal(refused.status, 429);
  t.equal(refused.headers.get('retry-after'), '1');
  first.socket.destroy();
  await first.closed;
  const second = openRaw(t, h.gateway.port);
  let answer = await h.call('HEAD', '/events');
  while (answer.status === 429) answer = await h.call('HEAD', '/events');
  await subscribe(second);
});

void t.test('a reader that does not read is dropped, others go on', async (t) => {
  const h = await startHarness(t);
  const slow = openRaw(t, h.gateway.port);
  await subscribe(slow);
  slow.socket.pause();
  const quick = openRaw(t, h.gateway.port);
  await subscribe(quick, '?type=registered');
  await registerKettle(h, 'k1', {});
  // each event carries the old and the new value
  const dropped = async (): Promise<boolean> => {
    const metrics = await (await fetch(`${h.managementOrigin}/metrics`)).text();
    return /epr_http_event_subscribers_dropped_total 1/.test(metrics);
  };
  for (let i = 0; !(await dropped()); i++) {
    if (i > 400) throw new Error('the slow reader was not dropped');
    await h.call('PUT', '/endpoints/k1/metadata/a', `"${i}${'x'.repeat(90_000)}"`);
  }
  slow.socket.resume();
  t.match(await slow.until(/event: dropped\n.*too slow.*\n\n/), /event: dropped/);
  await registerKettle(h, 'k2', {});
  await quick.until(/"endpointId":"k2"/);
});
