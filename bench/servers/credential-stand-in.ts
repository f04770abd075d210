import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { childArgument, serveParent } from '../children.js';

/** Stands in for credential management: a token for each request, after a while. It reads the request and keeps nothing. */
const { delayMs } = childArgument<{ delayMs: number }>();
let issued = 0;
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () =>
    setTimeout(() => {
      issued++;
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ token: randomUUID() }));
    }, delayMs),
  );
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  serveParent({ url: `http://127.0.0.1:${port}` }, { issued: async () => issued });
});
