import type { Test } from 'tap';
import { startProxy } from '../servers/proxy.js';

export interface LosingProxy {
  url: string;
  /** answers that are lost from now on: the command is done, and the connection breaks instead of the answer */
  lose: (answers: number, before?: () => Promise<void>) => void;
  /** The next command waits for `held`, and is sent on then, or lost with its connection. */
  hold: (held: () => Promise<'send' | 'cut'>) => void;
  /** how many were */
  readonly lost: number;
}

/** Stands before a MongoDB server and loses answers to write commands on one collection, or the commands, when told. */
export async function startLosingProxy(
  t: Test,
  serverUrl: string,
  collection = 'endpoints',
): Promise<LosingProxy> {
  const target = new URL(serverUrl);
  let toLose = 0;
  let lost = 0;
  let beforeLoss: (() => Promise<void>) | undefined;
  let holding: (() => Promise<'send' | 'cut'>) | undefined;

  const address = { host: target.hostname, port: Number(target.port) };
  const port = await startProxy(t, address, (client, upstream) => {
    let losing = false;
    client.on('data', (data) => {
      if (holding !== undefined && isWrite(data, collection)) {
        const held = holding();
        holding = undefined;
        return void held.then((how) => (how === 'send' ? upstream.write(data) : client.destroy()));
      }
      if (toLose > 0 && isWrite(data, collection)) {
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
  target.port = String(port);
  return {
    url: target.href,
    lose: (answers, before) => {
      toLose = answers;
      beforeLoss = before;
    },
    hold: (held) => (holding = held),
    get lost() {
      return lost;
    },
  };
}

/** The command is the first key of its document, and the collection that key's value: a string, its length before it. */
function isWrite(message: Buffer, collection: string): boolean {
  const start = message.subarray(0, 200);
  const value = Buffer.from(`${collection}\0`);
  const length = Buffer.from([value.length, 0, 0, 0]);
  return ['insert\0', 'update\0'].some((name) =>
    start.includes(Buffer.concat([Buffer.from(name), length, value])),
  );
}
