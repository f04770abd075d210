import type { NatsConnection } from 'nats';
import t, { type Test } from 'tap';
import { startMongo, startNats } from '../servers/index.js';
import { faultsBehindActivated } from './support/behind-activated.js';
import {
  connectNats,
  createEventsStream,
  EVENTS_STREAM,
  readEventsOneByOne,
  untilPublished,
} from './support/event-stream.js';
import { lose, republish } from './support/republish.js';
import { APPLICATION } from './support/rest.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { readStations } from './support/weather.js';

t.setTimeout(120_000);

const FILTERS = `/api/v1/applications/${APPLICATION}/filters`;
const query = (n: number) => ({ metadata: { $elemMatch: { key: 'n', value: { $gte: n } } } });

/** Filters get other queries while the broker is away and endpoints go in and out of them. */
async function checkOrder(
  t: Test,
  services: (natsUrl: string) => Promise<Service[]>,
  afterwards?: (connection: NatsConnection, service: Service) => Promise<void>,
): Promise<void> {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  await createEventsStream(await connectNats(t, nats.url));
  const all = await services(nats.url);
  const [first] = all as [Service];
  const stations = readStations().slice(0, 120);
  await first.rest.registerFleet(stations);
  const filters = await Promise.all(
    Array.from({ length: 4 }, (_, i) =>
      first.rest.createFilter({ name: `f${i}`, mongoQuery: query(10 + i) }),
    ),
  );
  await first.rest.untilActive(filters);
  const putAll = (n: number) =>
    Promise.all(
      stations.map(({ endpointId }, i) =>
        all[i % all.length]!.rest.ask('PUT', `/api/v1/endpoints/${endpointId}/metadata/n`, 200, n),
      ),
    );
  await putAll(5);
  await Promise.all(all.map(untilPublished));

  await nats.stop();
  await putAll(20);
  const change = async (value: number) => {
    for (const { id } of filters)
      await all.at(-1)!.rest.ask('PATCH', `${FILTERS}/${id}`, 200, { mongoQuery: query(value) });
    await first.rest.untilActive(filters);
  };
  await change(30);
  await putAll(31);
  await change(40);
  await nats.restart();
  await Promise.all(all.map(untilPublished));

  const connection = await connectNats(t, nats.url);
  await afterwards?.(connection, first);
  const messages = await readEventsOneByOne(connection);
  for (const { id, name } of filters) {
    const members = await first.rest.memberIds(id);
    t.equal(members.size, 0);
    t.same(faultsBehindActivated(id, messages, members), [], `${name}: what follows leads to its members`);
    const kinds = messages.filter(({ source, filterId }) => source === id || filterId === id);
    t.equal(kinds.filter(({ kind }) => kind === 'ep-matched').length, 240, `${name}: every match is told`);
    t.equal(kinds.filter(({ kind }) => kind === 'filter-activated').length, 3);
  }
}

const embedded = (t: Test) => async (natsUrl: string) => [
  await startService(t, {
    natsUrl,
    config: `${WEATHER_CONFIG}nats: { jetstream: { events-stream: ${EVENTS_STREAM} } }\n`,
  }),
];

void t.test('with the embedded store', (t) => checkOrder(t, embedded(t)));

void t.test('sent again to a stream that has lost all', (t) =>
  checkOrder(t, embedded(t), async (connection, service) => {
    await lose(connection, [service]);
    t.equal((await republish(service, '--since', '1h')).code, 0);
  }),
);

void t.test('with two replicas on MongoDB', async (t) => {
  const mongo = await startMongo(t);
  if (mongo === undefined) return;
  const storageUrl = mongo.freshUrl();
  await checkOrder(t, (natsUrl) =>
    Promise.all(
      ['r0', 'r1'].map((id) =>
        startService(t, {
          natsUrl,
          storageUrl,
          config: WEATHER_CONFIG,
          settings: { 'service.instance.replica.id': id },
        }),
      ),
    ),
  );
});
