import Fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { childArgument, serveParent } from '../children.js';
import { createFleetStore } from './fleet-store.js';

/**
 * What one would write first: Fastify parses the body and the handler stores the record. lmdb-js gathers the puts of one turn
 * itself. Answered after fdatasync. No checks, no revision guard, no events.
 */
const { folder, endpoints } = childArgument<{ folder: string; endpoints: number }>();
const { db, recordWith } = await createFleetStore(folder, endpoints);

const app = Fastify();
app.put<{ Params: { endpointId: string; key: string } }>(
  '/api/v1/endpoints/:endpointId/metadata/:key',
  async (request, reply) => {
    const { endpointId } = request.params;
    const value = JSON.stringify(request.body);
    const record = recordWith(endpointId, Buffer.from(value));
    if (record === undefined) return reply.code(404).send();
    await db.put(endpointId, record);
    return reply.type('application/json').send(value);
  },
);
await app.listen({ host: '127.0.0.1', port: 0 });
serveParent({ port: (app.server.address() as AddressInfo).port });
