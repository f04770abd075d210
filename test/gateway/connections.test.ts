import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { follow } from './event-clients.js';
import { type Harness, openRaw, type RawConnection, startHarness } from './harness.js';

const GET = 'GET /api/v1/applications HTTP/1.1\r\nHost: x\r\n\r\n';

async function figure({ managementOrigin }: Harness, name: string): Promise<number> {
  const text = await (await fetch(`${managementOrigin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

/** Waits until so many are open. */
async function open(h: Harness, wanted: number): Promise<void> {
  while ((await figure(h, 'epr_http_connections')) !== wanted) await sleep(5);
}

/** Opens a connection that is answered. */
async function used(t: Test, { gateway }: Harness): Promise<RawConnection> {
  const raw = openRaw(t, gateway.port);
  raw.send(GET);
  await raw.until(/HTTP\/1.1 200 /);
  return raw;
}

void t.test('connections beyond the limit are closed at once, those that are open go on', async (t) => {
  const h = await startHarness(t, { maxConnections: 4 });
  const first = await Promise.all([1, 2, 3].map(() => used(t, h)));
  const watcher = await follow(t, 'ws', { port: h.gateway.port });
  t.equal(await figure(h, 'epr_http_connections'), 4, 'a WebSocket counts');
  for (let i = 0; i < 20; i++) {
    const beyond = openRaw(t, h.gateway.port);
    beyond.send(GET);
    await beyond.closed;
    t.equal(beyond.received(), '', 'nothing is answered');
  }
  t.equal(await figure(h, 'epr_http_connections_refused_total'), 20);
  t.equal(h.logged.filter((line) => line.includes('server.max-connections')).length, 1, 'it is said once');

  const before = first[0]!.received().length;
  first[0]!.send(GET);
  await first[0]!.until(new RegExp(`^[^]{${before},}HTTP/1.1 200 `));

  watcher.socket.destroy();
  await open(h, 3);
  await used(t, h);
  first[1]!.socket.destroy();
  await open(h, 3);
  await used(t, h);
  t.equal(await figure(h, 'epr_http_connections'), 4, 'what has ended makes room, WebSockets too');
});
