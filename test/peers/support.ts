import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { createPeerClient, createPeerMetrics, type PeerOptions } from '../../src/peers/index.js';

export interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Behaviour = (response: ServerResponse, asked: Asked) => void;

export interface PeerServer {
  url: string;
  /** what came, in order */
  asked: Asked[];
  /** connections that were made */
  connections: () => number;
  /** for the requests from now on; each of several is for one request, the last for all that follow */
  behave: (...behaviours: Behaviour[]) => void;
  server: Server;
}

/** A real HTTP server whose answers a test chooses. */
export async function startPeerServer(t: Test, ...behaviours: Behaviour[]): Promise<PeerServer> {
  let next = behaviours;
  let connections = 0;
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      asked.push(one);
      const behaviour = next.length > 1 ? next.shift()! : next[0]!;
      behaviour(response, one);
    });
  });
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    behave: (...behaviours) => void (next = behaviours),
    server,
  };
}

export const answer =
  (status: number, body: unknown, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
export const hang: Behaviour = () => undefined;
export const reset: Behaviour = (response) => void response.socket?.destroy();
export const half: Behaviour = (response) => {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('{"a":');
  setImmediate(() => response.socket?.destroy());
};

/** A client whose pauses are short, and its metrics. */
export function makeClient(t: Test, options: Partial<PeerOptions> & { url: string }, random = () => 1) {
  const registry = new Registry();
  const lines: { level: number; msg: string }[] = [];
  const log = pino(
    { level: 'debug', base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as { level: number; msg: string }) },
  );
  const client = createPeerClient(
    {
      name: 'peer',
      ...options,
      limits: { retryFirstMs: 2, retryMostMs: 10, ...options.limits },
    },
    { log, metrics: createPeerMetrics(registry), random },
  );
  t.teardown(() => client.close());
  const metric = async (name: string, labels: Record<string, string> = {}) => {
    const found = await registry.getSingleMetric(name)!.get();
    return found.values
      .filter((value) => Object.entries(labels).every(([key, wanted]) => value.labels[key] === wanted))
      .reduce((sum, { value }) => sum + value, 0);
  };
  return {
    client,
    lines,
    metric,
    count: (outcome: string) => metric('epr_peer_requests_total', { outcome }),
  };
}
