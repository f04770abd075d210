import t, { type Test } from 'tap';
import { startMongo, startNats } from '../servers/index.js';
import type { JsonObject } from '../../src/model/json.js';
import { connectNats, createEventsStream, readEvents, untilPublished } from './support/event-stream.js';
import { checkFilter, type SavedFilter } from './support/check-filter.js';
import { documentOf, EMPTY_BASELINE, readFlips } from './support/flips.js';
import { createHistory } from './support/history.js';
import { findGaps } from './support/order.js';
import { createReplay } from './support/replay.js';
import { APPLICATION, type FilterBody, type Station, type StoredFilter } from './support/rest.js';
import { startService, WEATHER_CONFIG } from './support/service.js';
import { pickStations, readFilters, readObservations, readStations } from './support/weather.js';

const stations = readStations();
const observations = readObservations();
const filters = readFilters();

const NEW_QUERY: JsonObject = { metadata: { $elemMatch: { key: 'temp_c', value: { $gte: 20 } } } };
const FILTERS = `/api/v1/applications/${APPLICATION}/filters`;

t.setTimeout(600_000);

void t.test('the whole fleet, embedded store', async (t) => {
  await runFleet(t, stations);
});

void t.test('the fleet on MongoDB', async (t) => {
  const mongo = await startMongo(t);
  if (mongo === undefined) return;
  // The Java server that stands in for MongoDB takes minutes for the whole fleet: all that report, and some that do not.
  const fleet = mongo.kind === 'mongo-java-server' ? pickStations(6_000, stations, observations) : stations;
  await runFleet(t, fleet, mongo.freshUrl());
});

/**
 * Filters come before the fleet, after it, and in the middle of its updates; one query changes and one filter goes there
 * too. At the end three accounts of each filter's members must agree: the register's list, another evaluator on the
 * stored records, and the events since the filter became active.
 */
async function runFleet(t: Test, fleet: readonly Station[], storageUrl?: string): Promise<void> {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  await createEventsStream(connection);
  const service = await startService(t, {
    natsUrl: nats.url,
    config: WEATHER_CONFIG,
    ...(storageUrl === undefined ? {} : { storageUrl }),
  });
  const { rest } = service;
  const create = (some: readonly FilterBody[]): Promise<StoredFilter[]> =>
    Promise.all(some.map((filter) => rest.createFilter(filter)));
  const never = (): number => 0;
  const saved: SavedFilter[] = [];

  const early = await create(filters.slice(0, 8));
  const doomedBody = { ...filters.find(({ name }) => name === 'calm')!, name: 'calm-for-now' };
  const doomed = await rest.createFilter(doomedBody);
  const unsteady = early.find(({ name }) => name === 'heat')!;
  await rest.untilActive([...early, doomed]);
  const fromStart = { after: never, certainlyAfter: never };
  for (const filter of early)
    if (filter !== unsteady)
      saved.push({
        filter,
        stretches: [{ query: filter.mongoQuery, ...fromStart }],
        baseline: EMPTY_BASELINE,
      });

  await rest.registerFleet(fleet);
  const history = createHistory(fleet);
  const registered = (): number => 1;
  const quiet = await create(filters.slice(8, 16));
  await rest.untilActive(quiet);
  for (const filter of quiet) {
    const baseline = { members: await rest.memberIds(filter.id), revisions: history.revisions() };
    const inForce = { after: registered, certainlyAfter: registered };
    saved.push({ filter, stretches: [{ query: filter.mongoQuery, ...inForce }], baseline });
  }

  const replay = createReplay(rest.url, observations, history);
  const upTo = (line: number) => replay.runTo(line);
  await upTo(5_000);

  // eight filters while updates go on
  let running = upTo(15_000);
  await replay.untilAnswered(6_000);
  const asked = replay.mark();
  const late = await create(filters.slice(16));
  const pendingAt = replay.mark();
  await rest.untilActive(late);
  const active = replay.mark();
  await running;
  t.comment(`${late.length} filters: pending at ${pendingAt.answered} updates, active at ${active.answered}`);
  for (const filter of late) {
    const baseline = { members: await rest.memberIds(filter.id), revisions: history.revisions() };
    const inForce = {
      after: replay.revisionsAt(asked.answered),
      certainlyAfter: replay.revisionsAt(active.written),
    };
    saved.push({ filter, stretches: [{ query: filter.mongoQuery, ...inForce }], baseline });
  }

  // one query changes and one filter goes while updates go on
  running = upTo(25_000);
  await replay.untilAnswered(16_000);
  const changeAsked = replay.mark();
  const [changed] = await Promise.all([
    rest.ask<StoredFilter>('PATCH', `${FILTERS}/${unsteady.id}`, 200, { mongoQuery: NEW_QUERY }),
    rest.ask('DELETE', `${FILTERS}/${doomed.id}`, 204),
  ]);
  const changeAnswered = replay.mark();
  await rest.untilActive([changed]);
  const changeActive = replay.mark();
  await running;
  t.comment(`query changed at ${changeAnswered.answered} updates, active at ${changeActive.answered}`);
  const until = {
    certainly: replay.revisionsAt(changeAsked.answered),
    atMost: replay.revisionsAt(changeAnswered.written),
  };
  saved.push({
    filter: changed,
    stretches: [
      { query: unsteady.mongoQuery, ...fromStart, until },
      {
        query: NEW_QUERY,
        after: replay.revisionsAt(changeAsked.answered),
        certainlyAfter: replay.revisionsAt(changeActive.written),
      },
    ],
    baseline: { members: await rest.memberIds(changed.id), revisions: history.revisions() },
  });

  await upTo(observations.length);

  await untilPublished(service);
  const records = await rest.endpoints();
  t.equal(records.size, fleet.length, 'every station is stored');
  let differing = 0;
  for (const endpointId of history.endpointIds()) {
    const record = records.get(endpointId);
    if (!isSame(record?.metadata, history.last(endpointId).metadata)) differing++;
  }
  t.equal(differing, 0, 'what is stored is what was sent');

  const messages = await readEvents(connection);
  const gaps = findGaps(messages, history.revisions());
  t.same(gaps.slice(0, 10), [], `revisions of ${messages.length} events grow by one`);
  const published = readFlips(messages);
  t.same(published.faults.slice(0, 10), [], 'subjects, ids and records of filter events agree');

  const listed = new Map((await rest.filters()).map((filter) => [filter.id, filter]));
  t.equal(listed.size, filters.length, 'all filters but the deleted one');
  t.equal(saved.length, filters.length);
  const documents = new Map(
    [...records].map(([id, { appVersion, metadata }]) => [id, documentOf(id, appVersion.name, metadata)]),
  );
  const input = { rest, documents, history, published };
  for (const each of saved) await checkFilter(t, { ...each, filter: listed.get(each.filter.id)! }, input);

  await rest.ask('GET', `/api/v1/endpoints?filterId=${doomed.id}`, 404);
  await checkFilter(
    t,
    {
      filter: doomed,
      stretches: [{ query: doomed.mongoQuery, ...fromStart, until }],
      baseline: 'gone',
    },
    input,
  );
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
