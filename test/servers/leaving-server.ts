import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** An HTTP server that goes away, with all its connections, and comes back under the same address. */
export interface LeavingServer {
  url: string;
  /** nobody listens until `back` */
  away(): Promise<void>;
  back(): Promise<void>;
}

export async function startLeavingServer(t: Test, listener: RequestListener): Promise<LeavingServer> {
  let server: Server | undefined;
  const listen = async (port: number): Promise<number> => {
    server = createServer(listener);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const away = async (): Promise<void> => {
    const leaving = server;
    server = undefined;
    if (leaving === undefined) return;
    const closed = once(leaving, 'close');
    leaving.close();
    leaving.closeAllConnections();
    await closed;
  };
  const port = await listen(0);
  t.teardown(away);
  return { url: `http://127.0.0.1:${port}`, away, back: async () => void (await listen(port)) };
}
