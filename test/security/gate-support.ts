import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface Gate {
  url: string;
  /** Awaited with each question about resources, before it is asked and before it is answered; when it rejects, nobody is there. */
  at: (when: 'asked' | 'answered', method: string, url: string) => Promise<void> | undefined;
}

/** Stands between the register and the auth server, which is to be asked as if nobody did. */
export async function startGate(t: Test, issuer: string): Promise<Gate> {
  const target = new URL(issuer);
  const gate: Gate = { url: '', at: () => undefined };
  async function pass(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/', headers } = asked;
    const isOfResources = url.includes('/authz/protection/resource_set');
    if (isOfResources) await gate.at('asked', method, url);
    const sent = Object.entries(headers).filter(([name]) =>
      /^(accept|authorization|content-type)$/.test(name),
    );
    const answer = await fetch(`${target.origin}${url}`, {
      method,
      headers: Object.fromEntries(sent) as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    });
    const body = await answer.arrayBuffer();
    if (isOfResources) await gate.at('answered', method, url);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(Buffer.from(body));
  }
  const server = createServer((asked, response) => {
    pass(asked, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  gate.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${target.pathname}`;
  return gate;
}
