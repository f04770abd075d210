import { type NatsConnection } from 'nats';
import t from 'tap';
import { startNats } from '../servers/index.js';
import { readAppVersionUpdated, writeConnected } from './support/contract-records.js';
import { connectNats, createEventsStream, readEvents, untilPublished } from './support/event-stream.js';
import { findGaps } from './support/order.js';
import { startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';
import { readStations } from './support/weather.js';

const EVENTS = 20_000;
/** The last of the events are of endpoints that the first were of: their versions change twice. */
const TWICE = 1_000;
const STREAM = 'kpc_events';
const SUBJECT = 'kaa.v1.events.kpc.endpoint.connectivity.connected';
const PUBLISHED_AT_ONCE = 500;

t.setTimeout(600_000);

void t.test('20,000 connected events, the service killed among them', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  await createEventsStream(connection);
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: STREAM, subjects: [SUBJECT] });

  const stations = readStations().slice(0, EVENTS - TWICE);
  const service = await startService(t, { natsUrl: nats.url, config: WEATHER_CONFIG });
  await service.rest.registerFleet(stations);
  const reports = stations.map(({ endpointId }): [string, string] => [endpointId, 'weather-v2']);
  for (const { endpointId } of stations.slice(0, TWICE)) reports.push([endpointId, 'weather-v3']);
  const last = new Map(reports);
  const publishing = publish(connection, reports);

  const consumer = async () => {
    const info = await manager.consumers.info(STREAM, 'epr-connectivity');
    const { num_pending: pending, num_ack_pending: unacknowledged, delivered } = info;
    return { pending, unacknowledged, acknowledged: delivered.stream_seq - unacknowledged };
  };
  const killedAt = await until({
    what: 'the consumer to be in the middle',
    longestAgainMs: 5,
    look: async () => {
      const state = await consumer();
      return state.acknowledged > EVENTS / 4 ? { value: state } : { state };
    },
  });
  await service.kill();
  await publishing;
  t.comment(`killed with ${JSON.stringify(killedAt)}`);
  t.ok(killedAt.acknowledged < EVENTS, 'it was killed before the end');
  await service.restart();

  await until({
    what: 'the consumer to have nothing pending',
    look: async () => {
      const state = await consumer();
      return state.pending === 0 && state.unacknowledged === 0 ? { value: null } : { state };
    },
  });
  await untilPublished(service);

  const records = await service.rest.endpoints();
  const wrong = [...last].filter(([id, version]) => records.get(id)?.appVersion.name !== version);
  t.same(wrong.slice(0, 5), [], 'every version is stored');

  const messages = await readEvents(connection);
  const versions = new Map(stations.map(({ endpointId, appVersion }) => [endpointId, appVersion.name]));
  const revisions = new Map(stations.map(({ endpointId }) => [endpointId, 1]));
  const broken: object[] = [];
  for (const { source, revision, kind, data } of messages) {
    if (kind !== 'appversion-updated' || revision <= revisions.get(source)!) continue;
    const event = readAppVersionUpdated(data);
    if (event.endpointId !== source || event.previousAppVersionName !== versions.get(source))
      broken.push(event);
    versions.set(source, event.appVersionName);
    revisions.set(source, revision);
  }
  t.same(broken.slice(0, 5), [], 'each appversion-updated goes on from the one before');
  const unpublished = [...last].filter(([id, version]) => versions.get(id) !== version);
  t.same(unpublished.slice(0, 5), [], 'the events lead to every version');
  t.same(findGaps(messages, revisions).slice(0, 5), [], 'in the order of revisions, without gaps');
  const twice = stations.slice(0, TWICE).filter(({ endpointId }) => revisions.get(endpointId) === 3);
  t.comment(`${twice.length} of ${TWICE} endpoints were seen with both their versions`);
  t.equal(
    [...revisions.values()].reduce((sum, revision) => sum + revision - 1, 0),
    EVENTS - TWICE + twice.length,
    'no change but those that were reported',
  );
});

async function publish(connection: NatsConnection, reports: (readonly [string, string])[]): Promise<void> {
  const jetstream = connection.jetstream();
  for (let at = 0; at < reports.length; at += PUBLISHED_AT_ONCE) {
    await Promise.all(
      reports
        .slice(at, at + PUBLISHED_AT_ONCE)
        .map(([endpointId, version]) =>
          jetstream.publish(SUBJECT, writeConnected({ [endpointId]: version }, Date.now())),
        ),
    );
  }
}
