import type { Test } from 'tap';
import { startProxy } from '../servers/proxy.js';

/** Stands between a client and a NATS server, and loses acknowledgements of JetStream: the server has the message. */
export interface NatsProxy {
  url: string;
  /** of the acknowledgements that come, one in so many is passed on; 0: all are */
  loseAllBut: (oneIn: number) => void;
  /** the next acknowledgement is lost with its connection */
  cut: () => void;
  /** acknowledgements that were lost */
  readonly lost: number;
}

export async function startNatsProxy(t: Test, serverPort: number): Promise<NatsProxy> {
  let oneIn = 0;
  let cutting = false;
  let seen = 0;
  let lost = 0;

  const port = await startProxy(t, { host: '127.0.0.1', port: serverPort }, (client, upstream) => {
    client.pipe(upstream);
    let rest = Buffer.alloc(0);
    upstream.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      for (let frame = firstFrame(rest); frame !== undefined; frame = firstFrame(rest)) {
        rest = rest.subarray(frame.length);
        if (!isAcknowledgement(frame)) {
          client.write(frame);
          continue;
        }
        if (cutting) {
          cutting = false;
          lost++;
          client.destroy();
          return;
        }
        if (oneIn === 0 || seen++ % oneIn === 0) client.write(frame);
        else lost++;
      }
    });
  });
  return {
    url: `nats://127.0.0.1:${port}`,
    loseAllBut: (each) => (oneIn = each),
    cut: () => (cutting = true),
    get lost() {
      return lost;
    },
  };
}

/** A whole frame of the protocol: a line, and for messages so many bytes as it says. */
function firstFrame(bytes: Buffer): Buffer | undefined {
  const end = bytes.indexOf('\r\n');
  if (end < 0) return undefined;
  const words = bytes.toString('latin1', 0, end).split(' ');
  const size = /^H?MSG$/.test(words[0]!) ? Number(words.at(-1)) + 2 : 0;
  return bytes.length < end + 2 + size ? undefined : bytes.subarray(0, end + 2 + size);
}

/** `{"stream":"EVENTS","seq":1}` */
function isAcknowledgement(frame: Buffer): boolean {
  return frame.includes('"seq":') && frame.includes('\r\n{"stream":');
}
