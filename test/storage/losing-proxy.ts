import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface LosingProxy {
  url: string;
  /** answers that are lost from now on: the command is done, and the connection breaks instead of the answer */
  lose: (answers: number, before?: () => Promise<void>) => void;
  /** how many were */
  readonly lost: number;
}

/** Stands before a MongoDB server and loses answers to write commands on `endpoints`, when told. */
export async function startLosingProxy(t: Test, serverUrl: string): Promise<LosingProxy> {
  const target = new URL(serverUrl);
  const serverPort = Number(target.port);
  let toLose = 0;
  let lost = 0;
  let beforeLoss: (() => Promise<void>) | undefined;
  const sockets = new Set<Socket>();

  const server = createServer((client) => {
    const upstream = connect(serverPort, target.hostname);
    let losing = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (data) => {
      if (toLose > 0 && isWrite(data)) {
        toLose--;
        losing = true;
      }
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (!losing) return void client.write(data);
      lost++;
      void Promise.resolve(beforeLoss?.()).finally(() => client.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  target.port = String((server.address() as { port: number }).port);
  return {
    url: target.href,
    lose: (answers, before) => {
      toLose = answers;
      beforeLoss = before;
    },
    get lost() {
      return lost;
    },
  };
}

/** The command is the first key of its document, and the collection that key's value: a string, its length before it. */
function isWrite(message: Buffer): boolean {
  const start = message.subarray(0, 200);
  const collection = Buffer.from('endpoints\0');
  const length = Buffer.from([collection.length, 0, 0, 0]);
  return ['insert\0', 'update\0'].some((name) =>
    start.includes(Buffer.concat([Buffer.from(name), length, collection])),
  );
}
