import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openStore } from '../../src/storage/index.js';
import { startNats } from '../servers/index.js';
import { connected, connectedSubject, makeStream } from './connectivity-support.js';
import { connectTo, until } from './support.js';

const CHILD = fileURLToPath(new URL('./deadly-child.js', import.meta.url));

void t.test(
  'a message that ends the process each time becomes a dead letter, and no other does',
  async (t) => {
    const nats = await startNats(t, { jetstream: true });
    if (nats === undefined) return;
    const connection = await connectTo(t, nats.url);
    const { manager, state, settled } = await makeStream(connection);
    await manager.consumers.add('KPC', {
      durable_name: 'epr-connectivity',
      filter_subject: connectedSubject,
      ack_policy: 'explicit' as never,
      ack_wait: 500_000_000,
      max_deliver: -1,
    });
    const dead: { data: Uint8Array; error: string }[] = [];
    connection.subscribe('kaa.v1.dead-letter.epr.connectivity', {
      callback: (_error, { data, headers }) => void dead.push({ data, error: headers!.get('Error') }),
    });
    const deadly = connected({ deadly: 'app-v1' });
    for (let i = 0; i < 20; i++) {
      if (i === 10) connection.publish(connectedSubject, deadly);
      connection.publish(connectedSubject, connected({ [`good-${i}`]: 'app-v1' }));
    }
    await connection.flush();

    const storageUrl = `file:${t.testdir()}/data`;
    let starts = 0;
    let child: ChildProcess | undefined;
    t.teardown(() => child?.kill('SIGKILL'));
    const isOver = async () => dead.length > 0 && (await settled());
    while (!(await isOver())) {
      starts++;
      const running = (child = fork(CHILD, [nats.url, storageUrl], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }));
      let ended = false;
      running.once('exit', () => (ended = true));
      await until(async () => ended || (await isOver()));
    }
    t.same(Buffer.from(dead[0]!.data), Buffer.from(deadly));
    t.match(
      dead[0]!.error,
      /^The process ended each of 3 times that it was worked on, with nothing else beside it/,
    );
    t.equal(dead.length, 1, 'of the others none, however often they were given with it');
    // three before there are many starts, three over it alone, and the one that wrote the dead letter
    t.ok(starts >= 5 && starts <= 9, `${starts} starts`);
    t.equal((await state()).num_pending, 0);

    child!.send('stop');
    await once(child!, 'exit');
    const store = await openStore({ url: storageUrl, durability: 'sync' });
    t.same(await store.listTexts('connectivity-alone', 10), [], 'no note is left');
    await store.close();
  },
);

void t.test('restarts that have nothing to do with it cost no message', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectTo(t, nats.url);
  const { settled, state } = await makeStream(connection);
  let dead = 0;
  connection.subscribe('kaa.v1.dead-letter.>', { callback: () => void dead++ });
  const storageUrl = `file:${t.testdir()}/data`;
  let child: ChildProcess | undefined;
  t.teardown(() => child?.kill('SIGKILL'));
  for (let i = 0; i < 200; i++) connection.publish(connectedSubject, connected({ [`e${i}`]: 'app-v1' }));
  await connection.flush();
  for (let starts = 0; starts < 8; starts++) {
    child = fork(CHILD, [nats.url, storageUrl], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const exited = once(child, 'exit');
    await until(async () => (await state().catch(() => undefined)) !== undefined);
    if (starts === 7) break;
    await new Promise((resolve) => setTimeout(resolve, 300 + starts * 40));
    child.kill('SIGKILL');
    await exited;
  }
  await until(settled);
  t.equal(dead, 0);
});
