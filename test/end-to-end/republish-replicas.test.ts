import type { NatsConnection } from 'nats';
import t from 'tap';
import { startMongo, startNats } from '../servers/index.js';
import { connectNats, EVENTS_STREAM, readEventsOneByOne, untilPublished } from './support/event-stream.js';
import { lose, republish } from './support/republish.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';
import { readStations } from './support/weather.js';

t.setTimeout(180_000);

const CONFIG = `${WEATHER_CONFIG}nats: { jetstream: { events-stream: ${EVENTS_STREAM} } }\n`;
const STATIONS = readStations().slice(0, 30);
const PATH = '/api/v1/events/republish';

interface Status {
  id: string;
  state: string;
  changes: { total: number; done: number };
  events: { sent: number };
  missing: { reason: string; message: string }[];
  waiting: string | null;
}

const statusAt = ({ rest }: Service) => rest.ask<Status>('GET', PATH, 200);

const untilState = (service: Service, wanted: string) =>
  until({
    what: `it to be ${wanted}`,
    look: async () => {
      const status = await statusAt(service);
      return status.state === wanted ? { value: status } : { state: status };
    },
  });

/** Every event, whatever replica sent it when. */
async function eventsOf(connection: NatsConnection): Promise<string[]> {
  const events = await readEventsOneByOne(connection);
  return events.map(({ subject, source, revision, kind, filterId, data }) =>
    [subject, source, revision, kind, filterId, Buffer.from(data).toString('hex')].join(' '),
  );
}

void t.test('three replicas: each sends what it keeps, whichever is asked', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  const mongo = await startMongo(t);
  if (nats === undefined || mongo === undefined || !nats.managed) return;
  const connection = await connectNats(t, nats.url);
  const storageUrl = mongo.freshUrl();
  const services = await Promise.all(
    ['r0', 'r1', 'r2'].map((id) =>
      startService(t, {
        natsUrl: nats.url,
        storageUrl,
        config: CONFIG,
        settings: {
          'service.instance.replica.id': id,
          'service.instance.replica.lease': '3s',
          'workers.threads': '1',
        },
      }),
    ),
  );
  const [r0, r1, r2] = services as [Service, Service, Service];
  await until({
    what: 'all to know of all',
    look: async () => {
      const bodies = await Promise.all(
        services.map(async (service) => (await fetch(`${service.managementUrl()}/health`)).text()),
      );
      return bodies.every((body) => body.includes('"live":3')) ? { value: null } : { state: bodies };
    },
  });
  const since = new Date().toISOString();
  await r0.rest.registerFleet(STATIONS);
  for (const [i, { endpointId }] of STATIONS.entries())
    await services[i % 3]!.rest.ask('PUT', `/api/v1/endpoints/${endpointId}/metadata/n`, 200, i);
  for (const service of services) await untilPublished(service);
  const before = new Set(await eventsOf(connection));
  t.equal(before.size, STATIONS.length * 2);
  t.match(await republish(r1, '--status'), { code: 1, stderr: /No events were sent again/ });

  await t.test('started at one, told by all', async (t) => {
    await lose(connection, services);
    const { code, stdout, stderr } = await republish(r1, '--since', since);
    t.equal(code, 3, 'what replicas that are no more have kept, nobody knows');
    t.match(stdout, `${before.size} events of ${before.size} changes`);
    t.match(stderr, /^epr: A replica keeps the events of its own changes in its memory: .*\n$/);
    t.same(new Set(await eventsOf(connection)), before, 'those of all three are there again');
    const told = await Promise.all(services.map(statusAt));
    t.same(told[0], told[1]);
    t.same(told[2], told[1]);
  });

  await t.test('cancelled at another, and one at a time wherever', async (t) => {
    await nats.stop();
    await until({
      what: 'the connections to be lost',
      look: async () => {
        const bodies = await Promise.all(
          services.map(async (service) => (await fetch(`${service.managementUrl()}/health`)).text()),
        );
        return bodies.every((body) => body.includes('"connected":false'))
          ? { value: null }
          : { state: bodies };
      },
    });
    t.match(await republish(r0, '--since', since, '--no-wait'), { code: 0, stdout: /Under way/ });
    t.match(await republish(r2, '--since', since), { code: 1, stderr: /are being sent again. Wait until/ });
    await until({
      what: 'all three parts to be known, and what they wait for',
      look: async () => {
        const status = await statusAt(r2);
        const isWhole = status.changes.total === before.size && /no connection/.test(status.waiting ?? '');
        return isWhole ? { value: null } : { state: status };
      },
    });
    t.match(await republish(r1, '--cancel'), { code: 0, stdout: /Cancelled/ });
    for (const service of services) t.equal((await statusAt(service)).state, 'cancelled');
    t.match(await republish(r2, '--cancel'), { code: 0, stdout: /nothing to cancel/ });
  });

  /** Of one under way that nothing is sent of, while the broker is away. */
  const beginWithoutBroker = async () => {
    const { id } = await r0.rest.ask<Status>('POST', PATH, 202, { since });
    await until({
      what: 'all three parts to be under way',
      look: async () => {
        const status = await statusAt(r1);
        return status.changes.total === before.size ? { value: null } : { state: status };
      },
    });
    return id;
  };
  const silent = (of: string) =>
    until({
      what: `it to be said that ${of} does not answer, and nothing else`,
      look: async () => {
        const status = await statusAt(r1);
        const isSaid = status.waiting?.includes(`The replica ${of} does not answer since 20`) === true;
        return isSaid && status.state === 'running' ? { value: status } : { state: status };
      },
    });

  await t.test('one that stands still does not answer, and goes on when it is back', async (t) => {
    const id = await beginWithoutBroker();
    process.kill(r2.pid(), 'SIGSTOP');
    await nats.restart();
    const { missing, waiting } = await silent('r2');
    t.same(
      missing.map(({ reason }) => reason),
      ['other-processes'],
      'nothing of it is given up',
    );
    t.match(waiting, /Its part goes on when it is back; it is waited for until 20/);
    process.kill(r2.pid(), 'SIGCONT');
    const done = await untilState(r1, 'done');
    t.match(done, { id, events: { sent: before.size }, changes: { done: before.size } });
    t.same(
      done.missing.map(({ reason }) => reason),
      ['other-processes'],
    );
    await nats.stop();
  });

  await t.test('one is killed in the middle: the others go on, and what is missing is said', async (t) => {
    const id = await beginWithoutBroker();
    // the one that was asked
    await r0.kill();
    t.match(await statusAt(r2), { id, state: 'running' });
    await nats.restart();
    await silent('r0');
    await r0.restart();
    const done = await untilState(r1, 'done');
    t.equal(done.id, id);
    t.match(done.missing.map(({ reason, message }) => `${reason}: ${message}`).sort(), [
      /^other-processes: /,
      /^replica-ended: The replica r0 was started again before its part was sent to the end/,
    ]);
    const others = done.events.sent;
    t.ok(others > 0 && others < before.size, `${others} events of the others were sent`);
    t.match(await statusAt(r0), { id, state: 'done', missing: done.missing });
    const again = await republish(r0, '--since', since);
    t.match(again, { code: 3, stderr: /Events before .* are not kept: with MongoDB/ });
  });
});
