import t, { type Test } from 'tap';
import { startCli } from '../cli/run-cli.js';
import { startNats } from '../servers/index.js';
import { faultsBehindActivated } from './support/behind-activated.js';
import {
  connectNats,
  EVENTS_STREAM,
  type KeptMessage,
  readEvents,
  untilPublished,
} from './support/event-stream.js';
import { createForgetfulStream } from './support/known-ids.js';
import { republish } from './support/republish.js';
import { APPLICATION } from './support/rest.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { readStations } from './support/weather.js';

t.setTimeout(300_000);

const CONFIG = `${WEATHER_CONFIG}nats: { jetstream: { events-stream: ${EVENTS_STREAM} } }\n`;
const STATIONS = readStations().slice(0, 40);
const LONG_MS = 600_000;
const WAITS = `epr: It waits: The stream ${EVENTS_STREAM} drops events that must come again behind older ones, until its duplicate_window of 600 s has passed, at 2`;

async function prepare(t: Test) {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return undefined;
  const connection = await connectNats(t, nats.url);
  const stream = await createForgetfulStream(connection);
  const service = await startService(t, { natsUrl: nats.url, config: CONFIG });
  await service.rest.registerFleet(STATIONS);
  return { connection, stream, service };
}

async function putAll({ rest }: Service, value: number): Promise<void> {
  await Promise.all(
    STATIONS.map(({ endpointId }) =>
      rest.ask('PUT', `/api/v1/endpoints/${endpointId}/metadata/n`, 200, value),
    ),
  );
}

const begin = ({ rest }: Service, since = '1h') =>
  startCli(['republish', '--url', rest.url, '--since', since]);

/** Of each endpoint, the revisions in the order of the stream. */
function revisions(messages: readonly KeptMessage[]): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  for (const { source, revision } of messages) (found[source] ??= []).push(revision);
  return found;
}

const allWith = (expected: number[]) =>
  Object.fromEntries(STATIONS.map(({ endpointId }) => [endpointId, expected]));

void t.test('a stream that knows the newer of events, and has forgotten the older', async (t) => {
  const prepared = await prepare(t);
  if (prepared === undefined) return;
  const { connection, stream, service } = prepared;
  await untilPublished(service);
  await stream.forget();
  await stream.setWindow(LONG_MS);
  await putAll(service, 1);
  await untilPublished(service);

  await t.test('the newer come again behind the older, when it has forgotten them, too', async (t) => {
    const cli = begin(service);
    await cli.said(WAITS);
    t.match(await republish(service, '--status'), {
      code: 0,
      stdout: /It waits: The stream epr_events drops/,
    });
    await putAll(service, 2);
    await stream.forget();
    const { code, stdout } = await cli.done;
    t.equal(code, 0);
    t.match(stdout, /^80 events of 80 changes since .*; the stream had 0 of them/);
    await untilPublished(service);
    t.same(revisions(await readEvents(connection)), allWith([1, 2, 1, 2, 3]));
  });

  await t.test('cancelled in the middle: new events go out at once', async (t) => {
    await stream.forget();
    await stream.setWindow(LONG_MS);
    await putAll(service, 3);
    await untilPublished(service);
    const cli = begin(service);
    await cli.said(WAITS);
    await putAll(service, 4);
    t.equal((await republish(service, '--cancel')).code, 0);
    t.equal((await cli.done).code, 1);
    await untilPublished(service);
    const all = Object.values(revisions(await readEvents(connection)));
    t.same(new Set(all.map((each) => each.at(-1))), new Set([5]));
  });

  await t.test('events that it has no more, though it knows them, come again', async (t) => {
    await stream.purge();
    const cli = begin(service);
    await cli.said(WAITS);
    await stream.forget();
    t.equal((await cli.done).code, 0);
    t.same(revisions(await readEvents(connection)), allWith([1, 2, 3, 4, 5]));
  });

  await t.test('one that knows them for hours is not waited for: that is said', async (t) => {
    await stream.forget();
    await stream.setWindow(3_600_000);
    await putAll(service, 5);
    await untilPublished(service);
    const { code, stderr } = await republish(service, '--since', '1h');
    t.equal(code, 3);
    t.match(
      stderr,
      `The stream ${EVENTS_STREAM} dropped 40 events as repeats, though it has them no more, or before older`,
    );
    t.match(stderr, `nats stream edit ${EVENTS_STREAM} --dupe-window 2m`);
  });
});

void t.test('the activation of a changed query comes behind the matches of the former again', async (t) => {
  const prepared = await prepare(t);
  if (prepared === undefined) return;
  const { connection, stream, service } = prepared;
  const query = (n: number) => ({ metadata: { $elemMatch: { key: 'n', value: { $gte: n } } } });
  const filter = await service.rest.createFilter({ name: 'f', mongoQuery: query(10) });
  await service.rest.untilActive([filter]);
  await putAll(service, 5);
  // nothing of the filter: what is sent again of it stands behind nothing of its own
  const since = new Date().toISOString();
  await putAll(service, 20);
  await untilPublished(service);
  await stream.forget();
  await stream.setWindow(LONG_MS);
  await service.rest.ask('PATCH', `/api/v1/applications/${APPLICATION}/filters/${filter.id}`, 200, {
    mongoQuery: query(30),
  });
  await service.rest.untilActive([filter]);
  await untilPublished(service);
  const cli = begin(service, since);
  await cli.said(WAITS);
  await stream.forget();
  t.equal((await cli.done).code, 0);
  const members = await service.rest.memberIds(filter.id);
  t.equal(members.size, 0);
  t.same(faultsBehindActivated(filter.id, await readEvents(connection), members), []);
});
