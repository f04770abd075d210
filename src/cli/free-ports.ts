import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Config } from '../config/index.js';
import { CliFailure, codeOf } from './failure.js';

/**
 * Whether the ports of the configuration can be listened on: asked before anything is created, so that a start that
 * can't succeed leaves nothing behind. The gateway's own listening still decides. Rejects with a {@link CliFailure}.
 */
export async function checkPorts({ server, management }: Config): Promise<void> {
  await checkPort(server.host, server.port, 'server.port');
  await checkPort(management.host, management.port, 'management.port');
}

async function checkPort(host: string, port: number, setting: string): Promise<void> {
  const server = createServer((socket) => socket.resetAndDestroy());
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { listenFault } = await import('../service.js'); // with all of the service behind it: only when needed
    throw new CliFailure(listenFault(host, port, setting, reasonOf(error as Error)));
  }
  server.close();
  await once(server, 'close');
}

function reasonOf(error: Error): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return 'another program has the port. End that program';
    case 'EADDRNOTAVAIL':
      return 'the address is not one of this machine. Give another host';
    case 'EACCES':
      return 'this user may not listen there. Give the right to';
    default:
      return `${error.message}. Give another host`;
  }
}
