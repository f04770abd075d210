import { connect } from 'node:net';

/** What a server says first, to anybody: as much of it as we use. */
export interface Greeting {
  tls_required?: boolean;
  tls_available?: boolean;
}

const LONGEST = 64 * 1024;
/** A server that is full says so right behind its greeting. */
const REFUSAL_MS = 10;

/**
 * Asks a server whether it is there, on a connection of its own that is ended at once. The client's own attempts leave
 * their socket open for good when a server accepts them and says nothing: a broker that hangs for a day would take all
 * file descriptors.
 *
 * @param silent - the server says nothing before TLS: that it accepts the connection is all
 * @returns rejects with the error of the socket; code `ETIMEDOUT` when nothing was said in time, `EPROTO` when it is no NATS
 */
export function readGreeting(
  { host, port }: { host: string; port: number },
  { timeoutMs, silent, signal }: { timeoutMs: number; silent: boolean; signal: AbortSignal },
): Promise<Greeting> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(fault('ABORT_ERR', 'called off'));
    let text = '';
    const socket = connect({ host, port });
    const calledOff = () => end(fault('ABORT_ERR', 'called off'));
    let timer = setTimeout(() => end(fault('ETIMEDOUT', 'it says nothing')), timeoutMs);
    const end = (result: Greeting | Error) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', calledOff);
      socket.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    signal.addEventListener('abort', calledOff);
    socket.on('connect', () => silent && end({}));
    socket.on('data', (data: Buffer) => {
      text += data.toString('latin1');
      const [first, second] = text.split('\r\n');
      if (second === undefined) {
        if (text.length > LONGEST) end(fault('EPROTO', 'what it says is no greeting of NATS'));
      } else {
        const greeting = parse(first!);
        const refusal = refusalOf(second);
        if (greeting instanceof Error || refusal !== undefined) return end(refusal ?? greeting);
        clearTimeout(timer);
        timer = setTimeout(() => end(greeting), REFUSAL_MS);
      }
    });
    socket.on('error', end);
    socket.on('close', () => end(fault('ECONNRESET', 'it ended the connection')));
  });
}

function parse(line: string): Greeting | Error {
  const refusal = refusalOf(line);
  if (refusal !== undefined) return refusal;
  try {
    if (line.startsWith('INFO '))
      return JSON.parse(Buffer.from(line, 'latin1').toString().slice(5)) as Greeting;
  } catch {
    // told below
  }
  return fault('EPROTO', 'what it says is no greeting of NATS');
}

function refusalOf(line: string): Error | undefined {
  const refusal = /^-ERR '?(.*?)'?$/.exec(line)?.[1];
  return refusal === undefined ? undefined : fault('EREFUSED', refusal);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
