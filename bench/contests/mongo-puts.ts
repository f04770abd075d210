import { MongoClient } from 'mongodb';
import type { JsonObject } from '../../src/model/json.js';
import { startChild } from '../children.js';
import type { Contest } from '../contest.js';
import type { Processes } from '../processor-time.js';
import { KEY } from '../fleet.js';
import { startBroker, startDatabase } from '../servers/outside.js';
import { startService } from '../servers/service.js';
import { createServiceContestant, startPutClient } from './embedded-puts.js';
import { createPutContestant } from './put-contestant.js';

export const mongoPuts: Contest = {
  id: 'mongo',
  title: 'Single durable PUTs of one metadata key, MongoDB',
  unit: 'requests/s',
  aim: 'twice the Fastify handler',
  // The stand-in for MongoDB runs on a JVM, which compiles what is hot after a while.
  warmUpTimes: 4,
  async open(surroundings) {
    const { fleet, connections, teardown, tell } = surroundings;
    const broker = await startBroker(surroundings);
    const database = await startDatabase(surroundings);
    if (broker === undefined || database === undefined) return undefined;
    tell(`  MongoDB is ${database.kind}`);
    const client = await startPutClient(surroundings);
    const service = await startService(
      { storageUrl: database.freshUrl(), natsUrl: broker.url, name: 'mongo' },
      surroundings,
    );
    const mongo: Processes = database.managed ? { MongoDB: database.pid } : {};
    const url = database.freshUrl();
    const server = await startChild<{ port: number }>('./servers/fastify-mongo.js', {
      url,
      endpoints: fleet.length,
    });
    teardown(() => server.kill());
    const baseline = createPutContestant(client, {
      name: 'Fastify with updateOne',
      what: `parses the body, one updateOne a request (majority, journal), on the same ${database.kind}`,
      own: false,
      url: () => `http://127.0.0.1:${server.ready.port}`,
      processes: () => ({ server: server.pid, ...mongo }),
      connections,
      fleet,
      async readBack() {
        await server.kill();
        const reader = await new MongoClient(url).connect();
        const documents = await reader
          .db()
          .collection<{ _id: string; metadata: JsonObject }>('endpoints')
          .find()
          .toArray();
        await reader.close();
        return new Map(documents.map(({ _id, metadata }) => [_id, metadata[KEY]]));
      },
    });
    return [
      baseline,
      createServiceContestant(client, service, broker, surroundings, { processes: () => mongo }),
    ];
  },
};
