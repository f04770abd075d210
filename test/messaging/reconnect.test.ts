import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { DebugEvents, type NatsConnection } from 'nats';
import t, { type Test } from 'tap';
import { type NatsServer, startNats } from '../servers/index.js';
import { startLink } from './link.js';
import { until } from './support.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Where connections are taken, and no word is said. */
async function startSilence(t: Test) {
  const open = new Set<Socket>();
  let taken = 0;
  const server = createServer((socket) => {
    taken++;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, open, taken: () => taken };
}

void t.test('away at the start, there, gone, and back: each said once, tried for ever', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  await nats.stop();
  const { link, connected, failed, said, lines, count } = startLink(t, { urls: [nats.url] });
  const subscribed: string[] = [];
  link.onUp((connection) =>
    connection.subscribe('a', { callback: (_, message) => subscribed.push(message.string()) }),
  );
  for (let round = 1; round <= 3; round++) {
    await failed(/nobody listens at 127.0.0.1:\d+. Start NATS there, or correct nats.urls./);
    await until(() => (link.status().attempts ?? 0) > 5);
    t.equal(said('NATS is not reached'), round);
    await nats.restart();
    await connected();
    t.equal(said('Connected to NATS.'), round);
    link.current()!.publish('a', String(round));
    await until(() => subscribed.length === round);
    t.equal(await count('epr_nats_connected'), 1);
    await nats.kill();
  }
  t.same(subscribed, ['1', '2', '3'], 'each once: nothing is subscribed twice');
  await failed(/nobody listens/);
  t.equal(said('The connection to NATS is lost'), 3);
  t.ok(lines.length <= 10, `${lines.length} lines`);
  t.equal(await count('epr_nats_connects_total'), 3);
  t.ok((await count('epr_nats_connect_failures_total', { reason: 'unreachable' })) > 15);
});

void t.test('several URLs: dead, silent and unknown ones are passed over', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const silence = await startSilence(t);
  const dead = await freePort();
  const urls = [`nats://127.0.0.1:${dead}`, `nats://127.0.0.1:${silence.port}`, `127.0.0.1:${nats.port}`];
  for (let i = 0; i < 5; i++) {
    const { connected, link } = startLink(t, { urls, link: { attemptMs: 100 } });
    t.match(await connected(), { server: `127.0.0.1:${nats.port}` });
    await link.close();
  }
  await nats.stop();
  // no name server is asked for a name that is too long
  const nowhere = `${'x'.repeat(64)}.invalid:1`;
  const { failed } = startLink(t, { urls: [...urls, `nats://${nowhere}`], link: { attemptMs: 500 } });
  const { error } = await failed(/./);
  t.match(error, `nobody listens at 127.0.0.1:${dead}`);
  t.match(error, `127.0.0.1:${silence.port} does not answer in time`);
  t.match(error, `the host of ${nowhere} is not found (ENOTFOUND)`);
});

void t.test('a server that takes connections and says nothing costs no file descriptors', async (t) => {
  const silence = await startSilence(t);
  const { link, said } = startLink(t, { urls: [`127.0.0.1:${silence.port}`], link: { attemptMs: 30 } });
  await until(() => silence.taken() > 10);
  t.ok(silence.open.size <= 2, `${silence.open.size} of ${silence.taken()} are open`);
  t.equal(said('NATS is not reached'), 1);
  await link.close();
  await until(() => silence.open.size === 0);
});

void t.test('what is no NATS', async (t) => {
  const server = createServer((socket) => void socket.end('220 mail.example.org ESMTP\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const { failed } = startLink(t, { urls: [`127.0.0.1:${(server.address() as AddressInfo).port}`] });
  await failed(/is no NATS: what it says is no greeting of NATS. Correct nats.urls./);
});

void t.test('a server that is full', async (t) => {
  const nats = await startNats(t, { config: 'max_connections: 1' });
  if (nats === undefined || !nats.managed) return;
  const first = startLink(t, { urls: [nats.url] });
  await first.connected();
  const second = startLink(t, { urls: [nats.url] });
  await second.failed(/refuses the connection: .*maximum connections exceeded/i);
  await first.link.close();
  await second.connected();
});

void t.test('a broker that hangs while much is written to it is given up, and found again', async (t) => {
  const nats = await startNats(t);
  if (nats === undefined || !nats.managed) return;
  const { connected, failed, link } = startLink(t, {
    urls: [nats.url],
    link: { attemptMs: 100, pingMs: 100 },
  });
  await connected();
  const first = link.current()!;
  process.kill(nats.pid, 'SIGSTOP');
  // more than the buffers of the system take
  const payload = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 32; i++) first.publish('a', payload);
  await failed(/does not answer in time/);
  t.equal(link.current(), undefined);
  process.kill(nats.pid, 'SIGCONT');
  await connected();
  t.not(link.current(), first);
  await link.current()!.flush();
});

void t.test('closing waits for nobody', async (t) => {
  const silence = await startSilence(t);
  const { link } = startLink(t, { urls: [`127.0.0.1:${silence.port}`], link: { attemptMs: 600_000 } });
  await until(() => silence.taken() > 0);
  await link.close();
  t.equal(link.status().connected, false);
});

/** Three servers that know of each other. */
async function startCluster(t: Test): Promise<NatsServer[] | undefined> {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(', ');
  const servers: NatsServer[] = [];
  for (const [i, port] of ports.entries()) {
    const config = `server_name: s${i}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }`;
    const nats = await startNats(t, { config });
    if (nats === undefined || !nats.managed) return undefined;
    servers.push(nats);
  }
  return servers;
}

/** The next ping is when it is learned who else is there. */
async function pinged(connection: NatsConnection): Promise<void> {
  for await (const { type } of connection.status()) if (type === DebugEvents.PingTimer) return;
}

void t.test('a cluster whose servers go in turn: each is learned from the others', async (t) => {
  const servers = await startCluster(t);
  if (servers === undefined) return;
  // only one is configured
  const { connected, link, said } = startLink(t, { urls: [servers[0]!.url], link: { pingMs: 50 } });
  await connected();
  const current = () => servers.findIndex(({ port }) => link.status().server === `127.0.0.1:${port}`);
  const visited: number[] = [];
  for (let round = 0; round < 6; round++) {
    await until(() => (link.current()?.info?.connect_urls ?? []).length === 3);
    await pinged(link.current()!);
    const at = current();
    visited.push(at);
    await servers[at]!.kill();
    await until(() => link.status().connected && current() !== at);
    await servers[at]!.restart();
  }
  t.ok(new Set(visited).size > 1, `visited ${visited.join(', ')}`);
  t.equal(visited[0], 0);
  t.equal(said('Connected to NATS.'), 7);
});
