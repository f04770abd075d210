import t, { type Test } from 'tap';
import { startCli } from '../cli/run-cli.js';
import { type NatsServer, startMongo, startNats } from '../servers/index.js';
import {
  connectNats,
  EVENTS_STREAM,
  type KeptMessage,
  readEventsOneByOne,
  untilPublished,
} from './support/event-stream.js';
import { findGaps } from './support/order.js';
import { lose, republish } from './support/republish.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';
import { readFilters, readStations } from './support/weather.js';

t.setTimeout(120_000);

const CONFIG = `${WEATHER_CONFIG}nats: { jetstream: { events-stream: ${EVENTS_STREAM} } }\n`;
const STATIONS = readStations().slice(0, 60);
const ALL = new Map(STATIONS.map(({ endpointId }) => [endpointId, 4]));

async function putAll(service: Service, key: string, value: unknown): Promise<void> {
  await Promise.all(
    STATIONS.map(({ endpointId }) =>
      service.rest.ask('PUT', `/api/v1/endpoints/${endpointId}/metadata/${key}`, 200, value),
    ),
  );
}

/** A fleet with filters and three changes of each endpoint, all of it in the stream. */
async function prepare(t: Test, nats: NatsServer, storageUrl?: string) {
  const connection = await connectNats(t, nats.url);
  const service = await startService(t, {
    natsUrl: nats.url,
    config: CONFIG,
    ...(storageUrl === undefined ? {} : { storageUrl }),
  });
  await service.rest.registerFleet(STATIONS);
  const filters = [];
  for (const filter of readFilters().slice(0, 3)) filters.push(await service.rest.createFilter(filter));
  await service.rest.untilActive(filters);
  for (const temperature of [-10, 20, 45]) await putAll(service, 'temp_c', temperature);
  await untilPublished(service);
  return { connection, service, before: await readEventsOneByOne(connection) };
}

/** Subject, id and bytes, in the order of each source. */
function bySource(messages: readonly KeptMessage[]) {
  const found: Record<string, string[]> = {};
  for (const { subject, source, revision, kind, filterId, data } of messages) {
    const text = [subject, revision, kind, filterId, Buffer.from(data).toString('hex')].join(' ');
    (found[source] ??= []).push(text);
  }
  return found;
}

void t.test('what a stream lost is there again: each event, its id, its bytes, in order', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined || !nats.managed) return;
  const { connection, service, before } = await prepare(t, nats);
  t.ok(
    before.some(({ kind }) => kind === 'ep-matched') &&
      before.some(({ kind }) => kind === 'filter-activated'),
  );

  await t.test('after the stream has lost all', async (t) => {
    await lose(connection, [service]);
    const { code, stdout, stderr } = await republish(service, '--since', '1h');
    t.equal(code, 0, stderr);
    t.match(stdout, /events of [\d,]+ changes since .* sent again in .*; the stream had 0 of them/);
    t.same(bySource(await readEventsOneByOne(connection)), bySource(before));
  });

  await t.test('what the stream has is not there twice', async (t) => {
    const { code, stdout } = await republish(service, '--since', '1d');
    t.equal(code, 0);
    t.match(stdout, `the stream had ${before.length} of them`);
    t.equal((await readEventsOneByOne(connection)).length, before.length);
  });

  await t.test('over a crash and a restart; what changes meanwhile comes after it', async (t) => {
    await service.kill();
    await service.restart();
    await lose(connection, [service]);
    process.kill(nats.pid, 'SIGSTOP');
    t.match(await republish(service, '--since', '1h', '--no-wait'), { code: 0, stdout: /Under way: 0 of/ });
    await putAll(service, 'n', 1);
    process.kill(nats.pid, 'SIGCONT');
    await untilPublished(service);
    t.match(await republish(service, '--status'), { code: 0, stdout: /sent again/ });
    const events = await readEventsOneByOne(connection);
    t.same(findGaps(events, new Map([...ALL.keys()].map((id) => [id, 5]))), []);
    const newest = new Map<string, number>();
    for (const { source, revision } of events) {
      if (revision < (newest.get(source) ?? 0)) t.fail(`${source}: ${revision} comes after a newer one`);
      newest.set(source, revision);
    }
  });

  await t.test('only what is asked for', async (t) => {
    await lose(connection, [service]);
    const since = new Date().toISOString();
    await putAll(service, 'n', 2);
    await untilPublished(service);
    await lose(connection, [service]);
    t.equal((await republish(service, '--since', since)).code, 0);
    t.same(new Set((await readEventsOneByOne(connection)).map(({ revision }) => revision)), new Set([6]));
  });

  await t.test(
    'a broker that is away: it waits and says so; one at a time; cancelled, new events go out',
    async (t) => {
      await nats.stop();
      await until({
        what: 'the connection to be lost',
        look: async () => {
          const health = await (await fetch(`${service.managementUrl()}/health`)).text();
          return health.includes('"connected":false') ? { value: null } : { state: health };
        },
      });
      const begun = await republish(service, '--since', '1h', '--no-wait');
      t.equal(begun.code, 0, begun.stderr);
      t.match(begun.stdout, /Under way: 0 of [\d,]+ changes|Under way: 0 of 0 changes/);
      const second = await republish(service, '--since', '2h');
      t.match(second, { code: 1, stderr: /are being sent again. Wait until that is done, or cancel it/ });
      t.match(await republish(service, '--status'), { code: 0, stdout: /It waits: There is no connection/ });
      t.equal((await republish(service, '--cancel')).code, 0);
      const watched = startCli([
        'republish',
        '--url',
        service.rest.url,
        '--since',
        '1h',
        '--retry-for',
        '1s',
      ]);
      await watched.said('epr: It waits: There is no connection to a broker that takes events');
      watched.child.kill('SIGINT');
      t.match(await watched.done, { code: 130, stderr: /Stopped waiting. The register goes on/ });

      await putAll(service, 'n', 3);
      t.match(await republish(service, '--cancel'), { code: 0, stdout: /Cancelled/ });
      t.match(await republish(service, '--cancel'), {
        code: 0,
        stdout: 'Nothing is being sent again, so there was nothing to cancel.\n',
      });
      t.match(await republish(service, '--status'), { code: 1, stdout: /Cancelled/ });
      await nats.restart();
      await untilPublished(service);
      t.equal(
        (await readEventsOneByOne(await connectNats(t, nats.url))).filter(({ revision }) => revision === 7)
          .length,
        STATIONS.length,
      );
    },
  );
});

void t.test('with MongoDB: what this process has committed; the rest is said to be missing', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  const mongo = await startMongo(t);
  if (nats === undefined || mongo === undefined) return;
  const { connection, service, before } = await prepare(t, nats, `${mongo.url}/republish`);
  await lose(connection, [service]);
  const all = await republish(service, '--since', '1h');
  t.equal(all.code, 3);
  t.match(all.stderr, /Events before .* are not kept: with MongoDB/);
  t.match(all.stderr, /those of replicas that have ended since then are not among them/);
  t.same(bySource(await readEventsOneByOne(connection)), bySource(before));

  await service.stop();
  await service.restart();
  await lose(connection, [service]);
  const none = await republish(service, '--since', '1h');
  t.equal(none.code, 3);
  t.match(none.stdout, /^0 events of 0 changes/);
});

void t.test('what can not be done says why', async (t) => {
  const service = await startService(t, { config: WEATHER_CONFIG });
  t.match(await republish(service, '--since', '1h'), {
    code: 1,
    stderr: /No broker is configured \(nats.urls\)/,
  });
  t.match(await republish(service), { code: 2, stderr: /--since says from when on/ });
  t.match(await republish(service, '--since', 'yesterday'), { code: 2, stderr: /a time with its zone/ });
  t.match(await republish(service, '--since', '2999-01-01T00:00:00Z'), {
    code: 2,
    stderr: /It is in the future \(now it is 2\d{3}-.*Z\)/,
  });
  const future = { since: '2999-01-01T00:00:00Z' };
  t.match(await service.rest.ask('POST', '/api/v1/events/republish', 400, future), {
    code: 'invalid-body',
    details: [
      { path: '/since', message: /must be a time that is over; found 2999-01-01T00:00:00Z, and now it is / },
    ],
  });
  t.match(await service.rest.ask('POST', '/api/v1/events/republish', 400, { since: 'yesterday' }), {
    details: [
      {
        path: '/since',
        message:
          'must be: a time with its zone (RFC 3339), not in the future, such as "2026-11-22T10:00:00Z"; found "yesterday".',
      },
    ],
  });
  const help = (await republish(service, '--help')).stdout.split('\n\n')[1]!;
  t.ok(
    help.split('\n').every((line, i, lines) => i === lines.length - 1 || line.length > 50),
    'wrapped once',
  );
});
