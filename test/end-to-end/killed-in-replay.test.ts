import t from 'tap';
import { startNats } from '../servers/index.js';
import type { JsonObject } from '../../src/model/json.js';
import { checkFilter, type SavedFilter } from './support/check-filter.js';
import { connectNats, createEventsStream, readEvents, untilPublished } from './support/event-stream.js';
import { documentOf, EMPTY_BASELINE, readFlips } from './support/flips.js';
import { openLineStream } from './support/line-stream.js';
import { findGaps } from './support/order.js';
import { createPossibleStates } from './support/possible-states.js';
import { historyFromEvents } from './support/event-history.js';
import { APPLICATION, type FilterBody, type StoredFilter } from './support/rest.js';
import { type Service, startService, WEATHER_CONFIG } from './support/service.js';
import { within } from './support/wait.js';
import { pickStations, readFilters, readObservations, readStations } from './support/weather.js';

const observations = readObservations();
const stations = pickStations(6_000, readStations(), observations);
const filters = readFilters();

const KILLS = 10;
/** Kills after which filters are being recalculated. */
const RECALCULATED_AT = [3, 7];
const LINES_AT_ONCE = 64;
const FILTERS = `/api/v1/applications/${APPLICATION}/filters`;

t.setTimeout(600_000);

void t.test('ten times SIGKILL in the middle of a fleet of updates', async (t) => {
  const nats = await startNats(t, { jetstream: true });
  if (nats === undefined) return;
  const connection = await connectNats(t, nats.url);
  await createEventsStream(connection);
  const service = await startService(t, { natsUrl: nats.url, config: WEATHER_CONFIG });
  const { rest } = service;
  const lateCount = RECALCULATED_AT.length;
  const early = await Promise.all(filters.slice(lateCount).map((filter) => rest.createFilter(filter)));
  await rest.untilActive(early);
  await rest.registerFleet(stations);

  const possible = createPossibleStates(stations);
  let done = 0;
  let kills = 0;
  while (done < observations.length) {
    const first = done;
    const killAt = kills < KILLS ? Math.floor(((kills + 1) * observations.length) / (KILLS + 1)) : Infinity;
    let killed: Promise<void> | undefined;
    const lateFilter = filters[RECALCULATED_AT.indexOf(kills)];
    const refused: string[] = [];
    const stream = openLineStream(rest.url, (answer, line) => {
      const { endpointId, set } = observations[first + line]!;
      if (answer.status !== 200 || answer.endpointId !== endpointId) refused.push(JSON.stringify(answer));
      possible.acknowledged(endpointId, set);
      done = first + line + 1;
      if (done < killAt || killed !== undefined) return;
      // with a filter: it dies when the filter is known to it, and some endpoints are evaluated at most
      const kill = (): Promise<void> => service.kill();
      killed = lateFilter === undefined ? kill() : rest.createFilter(lateFilter).then(kill, kill);
    });
    for (let at = first; at < observations.length && killed === undefined; at += LINES_AT_ONCE) {
      const some = observations.slice(at, at + LINES_AT_ONCE);
      for (const { endpointId, set } of some) possible.sent(endpointId, set);
      await stream.write(some).catch(() => undefined);
    }
    if (killAt === Infinity) await stream.end();
    else await within('the end of the killed stream', stream.ended, () => ({ done, killAt }));
    t.same(refused.slice(0, 3), [], `updates ${first} to ${done} are accepted`);
    if (killed === undefined) continue;
    await killed;
    kills++;
    await service.restart();
    if (lateFilter !== undefined) await createUnlessThere(service, lateFilter);
    const records = await rest.endpoints();
    t.equal(records.size, stations.length, `every registration is there after kill ${kills}`);
    const wrong = possible.settle(new Map([...records].map(([id, { metadata }]) => [id, metadata])));
    t.same(wrong.slice(0, 3), [], `what was acknowledged is there after kill ${kills}, at ${done} updates`);
  }
  t.equal(kills, KILLS);

  const all = await rest.filters();
  await rest.untilActive(all);
  await untilPublished(service);
  const records = await rest.endpoints();
  const stored = new Map([...records].map(([id, { metadata }]) => [id, metadata]));
  t.same(possible.settle(stored).slice(0, 3), [], 'at the end everything is stored');

  const messages = await readEvents(connection);
  t.comment(`${messages.length} messages in the stream`);
  const revisions = await revisionsOf(service, [...records.keys()]);
  t.same(findGaps(messages, revisions).slice(0, 10), [], 'events of every revision, in their order');
  const { history, faults } = historyFromEvents(
    messages,
    new Map(stations.map(({ endpointId, metadata }) => [endpointId, metadata])),
  );
  t.same(faults.slice(0, 10), [], 'each event goes on from the one before');
  const lost = [...stored].filter(([id, metadata]) => !isSame(history.last(id)?.metadata ?? {}, metadata));
  t.same(lost.slice(0, 3), [], 'the events lead to what is stored');

  const published = readFlips(messages);
  t.same(published.faults.slice(0, 10), [], 'subjects, ids and records of filter events agree');
  const documents = new Map(
    [...records].map(([id, { appVersion, metadata }]) => [id, documentOf(id, appVersion.name, metadata)]),
  );
  const input = { rest, documents, history, published };
  const listed = new Map(all.map((filter) => [filter.name, filter]));
  t.equal(listed.size, filters.length);
  const from = (revision: number) => () => revision;
  for (const { name } of filters) {
    const filter = listed.get(name)!;
    const isEarly = early.some(({ id }) => id === filter.id);
    // when a late one became active is not known: after the registrations, and before the last of the updates
    const inForce = isEarly
      ? { after: from(0), certainlyAfter: from(0) }
      : { after: from(1), certainlyAfter: from(Infinity) };
    const saved: SavedFilter = {
      filter: await rest.ask<StoredFilter>('GET', `${FILTERS}/${filter.id}`, 200),
      stretches: [{ query: filter.mongoQuery, ...inForce }],
      baseline: isEarly ? EMPTY_BASELINE : 'unknown',
    };
    await checkFilter(t, saved, input);
  }
});

/** A filter whose creation was not answered may be there or not. */
async function createUnlessThere({ rest }: Service, filter: FilterBody): Promise<void> {
  const there = await rest.filters();
  if (!there.some(({ name }) => name === filter.name)) await rest.createFilter(filter);
}

async function revisionsOf({ rest }: Service, ids: string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const lane = async (): Promise<void> => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) found.set(id, await rest.metadataRevision(id));
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return found;
}

function isSame(a: JsonObject, b: JsonObject): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
