import Fastify from 'fastify';
import { MongoClient } from 'mongodb';
import type { AddressInfo } from 'node:net';
import { childArgument, serveParent } from '../children.js';
import { APPLICATION, readFleet, VERSIONS } from '../fleet.js';

/**
 * What one would write first: Fastify parses the body, and the handler sets the key in the endpoint's document, with one
 * `updateOne` a request, majority and journal. No checks, no revision guard, no events.
 */
interface Document {
  _id: string;
  application: string;
  version: string;
  revision: number;
  metadata: Record<string, unknown>;
}

const { url, endpoints } = childArgument<{ url: string; endpoints: number }>();
const client = await new MongoClient(url, { writeConcern: { w: 'majority', journal: true } }).connect();
const collection = client.db().collection<Document>('endpoints');
await collection.insertMany(
  readFleet(endpoints).map(({ endpointId, metadata }) => ({
    _id: endpointId,
    application: APPLICATION,
    version: VERSIONS[0],
    revision: 1,
    metadata,
  })),
);

const app = Fastify();
app.put<{ Params: { endpointId: string; key: string } }>(
  '/api/v1/endpoints/:endpointId/metadata/:key',
  async (request, reply) => {
    const { endpointId, key } = request.params;
    const { matchedCount } = await collection.updateOne(
      { _id: endpointId },
      { $set: { [`metadata.${key}`]: request.body }, $inc: { revision: 1 } },
    );
    if (matchedCount === 0) return reply.code(404).send();
    return reply.type('application/json').send(JSON.stringify(request.body));
  },
);
await app.listen({ host: '127.0.0.1', port: 0 });
serveParent({ port: (app.server.address() as AddressInfo).port });
