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

function checkPort(host: string, port: number, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.resetAndDestroy());
    server.on('error', (error) => {
      reject(new CliFailure(`Can't listen on ${host} port ${port}: ${reasonOf(error)} ${remedyOf(setting)}`));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function reasonOf(error: Error): string {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return 'another program has the port. End that program, or';
    case 'EADDRNOTAVAIL':
      return 'the address is not one of this machine. Give another host, or';
    case 'EACCES':
      return 'this user may not listen there. Give the right to, or';
    default:
      return `${error.message}. Give another host, or`;
  }
}

function remedyOf(setting: string): string {
  return `set ${setting} (environment: ${setting.toUpperCase().replaceAll('.', '_')}) to a free port.`;
}
