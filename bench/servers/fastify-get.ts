import Fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { childArgument, serveParent } from '../children.js';
import { readAnswers } from './answers.js';

/** What one would write first, with the answer in memory. No store, no checks, no query, no conditions. */
const answers = readAnswers(childArgument<{ endpoints: number }>().endpoints);

const app = Fastify();
app.get<{ Params: { endpointId: string } }>('/api/v1/endpoints/:endpointId/metadata', (request, reply) => {
  const answer = answers.get(request.params.endpointId);
  if (answer === undefined) return reply.code(404).send();
  return reply.type('application/json').header('etag', answer.etag).send(answer.body);
});
await app.listen({ host: '127.0.0.1', port: 0 });
serveParent({ port: (app.server.address() as AddressInfo).port });
