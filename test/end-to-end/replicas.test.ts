import { MongoClient } from 'mongodb';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../src/model/json.js';
import { createClient, json, untilAnswered } from '../messaging/served-support.js';
import { startMongo, startNats } from '../servers/index.js';
import { checkFilter } from './support/check-filter.js';
import { historyFromEvents } from './support/event-history.js';
import { connectNats, createEventsStream, readEvents, untilPublished } from './support/event-stream.js';
import { type FleetWriters, startWriters } from './support/fleet-writers.js';
import { documentOf, type InForce, readFlips } from './support/flips.js';
import { findGaps } from './support/order.js';
import { APPLICATION, type StoredFilter } from './support/rest.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { until } from './support/wait.js';

const FILTERS = `/api/v1/applications/${APPLICATION}/filters`;
const RECALCULATION = `recalculation of ${APPLICATION}`;
const LEASE_MS = 3_000;
const SERVED = 600;

t.setTimeout(600_000);

/** A filter, and what is known of when its queries were in force. */
interface Kept {
  filter: StoredFilter;
  stretches: (InForce & { query: JsonObject })[];
}

function above(temp: number): JsonObject {
  return { metadata: { $elemMatch: { key: 'temp', value: { $gte: temp } } } };
}

void t.test('three replicas: filters come, change and go while one dies and one sleeps', async (t) => {
  const mongo = await startMongo(t);
  const nats = await startNats(t, { jetstream: true });
  if (mongo === undefined || nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  await createEventsStream(connection);
  const storageUrl = mongo.freshUrl();
  const database = await new MongoClient(storageUrl).connect();
  t.teardown(() => database.close());

  const start = (id: string): Promise<Service> =>
    startService(t, {
      natsUrl: nats.url,
      storageUrl,
      config: WEATHER_CONFIG,
      settings: {
        'service.instance.replica.id': id,
        'service.instance.replica.lease': `${LEASE_MS}ms`,
        'workers.threads': '1',
      },
    });
  const services = await Promise.all(['r0', 'r1', 'r2'].map(start));
  const [r0, r1, r2] = services as [Service, Service, Service];
  await t.rejects(start('r1'), /same replica id/, 'a second process with an id does not start');

  const writers = await startWriters({
    urls: services.map(({ rest }) => rest.url),
    writers: 12,
    endpoints: 20,
    version: 'weather-v1',
  });
  t.teardown(() => writers.stop().catch(() => undefined));

  /** The replica that has the lease, when some has it. */
  const recalculating = async (): Promise<Service> =>
    until({
      what: 'a replica to recalculate',
      longestAgainMs: 5,
      look: async () => {
        const lease = await database
          .db()
          .collection<{ _id: string; session: string }>('leases')
          .findOne({ _id: RECALCULATION });
        const row = await database.db().collection('replicas').findOne({ session: lease?.session });
        return lease === null || row === null
          ? { state: lease }
          : { value: services[Number(String(row._id).slice(1))]! };
      },
    });

  const kept: Kept[] = [];
  let made = 0;
  const create = async (through: Service, query: JsonObject): Promise<Kept> => {
    const asked = writers.revisions();
    const filter = await through.rest.createFilter({ name: `f${made++}`, mongoQuery: query });
    const one: Kept = { filter, stretches: [{ query, after: of(asked), certainlyAfter: () => Infinity }] };
    kept.push(one);
    return one;
  };
  const untilActive = async (seenBy: Service, one: Kept): Promise<void> => {
    await seenBy.rest.untilActive([one.filter]);
    // what was under way may have been written before
    one.stretches.at(-1)!.certainlyAfter = of(writers.revisions(), 1);
  };

  // made by one, seen at once by it, at once by others that are asked for it, active everywhere
  const first = await Promise.all(services.map((service, i) => create(service, above(10 + i))));
  for (const [i, one] of first.entries()) {
    const other = services[(i + 1) % 3]!;
    t.equal(
      (await other.rest.ask<StoredFilter>('GET', `${FILTERS}/${one.filter.id}`, 200)).name,
      one.filter.name,
    );
    await untilActive(other, one);
    await other.rest.memberIds(one.filter.id);
  }
  const taken = await Promise.allSettled(
    services.map(({ rest }) => rest.createFilter({ name: 'one name', mongoQuery: above(39) })),
  );
  t.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1, 'a name is given once');

  await serveRequests(t, connection, writers, services);

  // a query changes and a filter goes, each through another replica than the one that made it
  const [changed, doomed] = first as [Kept, Kept, Kept];
  const end = async (one: Kept, work: () => Promise<unknown>): Promise<void> => {
    const certainly = of(writers.revisions());
    await work();
    one.stretches.at(-1)!.until = { certainly, atMost: of(writers.revisions(), 1) };
  };
  const askedAt = writers.revisions();
  await Promise.all([
    end(changed, async () => {
      changed.filter = await r2.rest.ask('PATCH', `${FILTERS}/${changed.filter.id}`, 200, {
        mongoQuery: above(30),
      });
    }),
    end(doomed, () => r0.rest.ask('DELETE', `${FILTERS}/${doomed.filter.id}`, 204)),
  ]);
  changed.stretches.push({ query: above(30), after: of(askedAt), certainlyAfter: () => Infinity });
  await untilActive(r1, changed);

  // the one that recalculates dies in the middle of it
  const orphan = await create(r0, above(20));
  const victim = await recalculating();
  await victim.kill();
  const survivors = services.filter((service) => service !== victim) as [Service, Service];
  t.comment(`${services.indexOf(victim)} was killed`);
  const beside = await create(survivors[0], above(25));
  await untilActive(survivors[1], orphan);
  await untilActive(survivors[0], beside);
  await victim.restart();

  // one sleeps for longer than its lease, and comes back to filters that it does not know
  const sleeper = survivors[1];
  const awake = services.filter((service) => service !== sleeper) as [Service, Service];
  sleeper.signal('SIGSTOP');
  const missed = await create(awake[0], above(15));
  await untilActive(awake[1], missed);
  await end(orphan, () => awake[1].rest.ask('DELETE', `${FILTERS}/${orphan.filter.id}`, 204));
  sleeper.signal('SIGCONT');
  // at once, though it has to ask for that
  await Promise.all([
    sleeper.rest.ask('GET', `${FILTERS}/${orphan.filter.id}`, 404),
    sleeper.rest
      .ask<StoredFilter>('GET', `${FILTERS}/${missed.filter.id}`, 200)
      .then(({ status }) => t.equal(status, 'active')),
    sleeper.rest.memberIds(missed.filter.id).then((ids) => t.ok(ids.size > 0)),
  ]);
  await until({
    what: 'the sleeper to write again',
    look: () =>
      Promise.resolve(
        sleeper.output().includes('writes again')
          ? { value: null }
          : { state: sleeper.output().slice(-1000) },
      ),
  });
  await writers.untilWritten(500);
  await writers.stop();
  t.comment(`${writers.counts.written} writes, ${writers.counts.failed} tries failed`);

  for (const service of services) await untilPublished(service);
  const records = await r0.rest.endpoints();
  t.equal(records.size, writers.stations.length, 'every endpoint is stored');
  const messages = await readEvents(connection);
  const { history, faults } = historyFromEvents(
    messages,
    new Map(writers.stations.map(({ endpointId, metadata }) => [endpointId, metadata])),
  );
  const toldRevisions = new Map([...history.endpointIds()].map((id) => [id, history.last(id)!.revision]));
  t.same(faults.slice(0, 5), [], 'each event goes on from the one before');
  t.same(
    findGaps(messages, toldRevisions).slice(0, 10),
    [],
    `revisions of ${messages.length} events grow by one`,
  );
  const unknown = [...writers.revisions()].filter(
    ([id, revision]) => (toldRevisions.get(id) ?? 0) < revision,
  );
  t.same(unknown.slice(0, 5), [], 'each answered write has its event');
  const differing = [...records].filter(
    ([id, { metadata }]) => metadata['temp'] !== history.last(id)?.metadata['temp'],
  );
  t.same(differing.slice(0, 5), [], 'what is stored is what the events tell');

  const documents = new Map(
    [...records].map(([id, { appVersion, metadata }]) => [id, documentOf(id, appVersion.name, metadata)]),
  );
  const published = readFlips(messages);
  t.same(published.faults.slice(0, 10), []);
  for (const service of services) {
    const listed = new Map((await service.rest.filters()).map((filter) => [filter.id, filter]));
    t.equal(listed.size, kept.length - 2 + 1, 'all but the deleted ones, and the one of that name');
    const input = { rest: service.rest, documents, history, published };
    for (const { filter, stretches } of kept) {
      const gone = filter === doomed.filter || filter === orphan.filter;
      const now = gone ? filter : listed.get(filter.id)!;
      await checkFilter(t, { filter: now, stretches, baseline: gone ? 'gone' : 'unknown' }, input);
    }
  }

  const logs = services.map((service) => service.output());
  const told = kept.map(({ filter }) => filter.name);
  for (const name of told) {
    const ends = logs
      .flatMap((log) => log.split('\n'))
      .filter((line) => line.includes('filters were recalculated'));
    const times = ends.filter((line) =>
      (JSON.parse(line) as { names: string[] }).names.includes(name),
    ).length;
    const most = kept.find(({ filter }) => filter.name === name)!.stretches.length;
    t.ok(times <= most, `${name} was made active ${times} times`);
  }
});

function of(revisions: ReadonlyMap<string, number>, more = 0): (endpointId: string) => number {
  return (endpointId) => (revisions.get(endpointId) ?? 0) + more;
}

/** Requests to the queue group, while all are well: each is answered, by one of the three. */
async function serveRequests(
  t: Test,
  connection: Awaited<ReturnType<typeof connectNats>>,
  writers: FleetWriters,
  services: readonly Service[],
): Promise<void> {
  const client = createClient(connection);
  await untilAnswered(client);
  const { stations } = writers;
  const answers = await Promise.all(
    Array.from({ length: SERVED }, (_, n) => {
      const { endpointId } = stations[n % 100]!;
      const request = { endpointId, metadataKey: 'served', metadataValue: json(n), correlationId: `n-${n}` };
      return client.epmmp('ep-metadata-key-update-request', request);
    }),
  );
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [200], `${SERVED} requests are answered`);
  const shares = await Promise.all(
    services.map(async (service) => {
      const metrics = await (await fetch(`${service.managementUrl()}/metrics`)).text();
      const counts = [...metrics.matchAll(/^epr_nats_requests_total\{.*\} (\d+)/gm)];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    }),
  );
  t.ok(shares.filter((share) => share > 0).length > 1, `they share them: ${shares.join(', ')}`);
}
