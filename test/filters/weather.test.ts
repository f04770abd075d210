import t from 'tap';
import { createFilterSet, parseQuery, type Query } from '../../src/filters/index.js';
import { mingoOf, siftOf } from './oracles.js';
import { storedForm } from './random-queries.js';
import { readObservations, readStations, readWeatherFilters } from './weather-fleet.js';

const filters = readWeatherFilters();
const queries = filters.map(({ name, mongoQuery }): Query => {
  const result = parseQuery(mongoQuery);
  if (!result.ok) throw new Error(`${name}: ${JSON.stringify(result.faults)}`);
  return result.query;
});
const oracles = filters.map(({ mongoQuery }) => [mingoOf(mongoQuery), siftOf(mongoQuery)]);
const fleet = readStations();

void t.test('along all observations, flips add up to full evaluations; the libraries agree', async (t) => {
  const set = createFilterSet();
  queries.forEach((query, number) => set.add(number, query));
  const members = new Map<string, Set<number>>();
  for (const doc of fleet.values()) members.set(doc.endpointId, new Set(set.matchAll(doc)));
  let flips = 0;
  const observations = readObservations();
  for (const { endpointId, set: changes } of observations) {
    const before = fleet.get(endpointId)!;
    const after = { ...before, metadata: { ...before.metadata, ...changes } };
    const keys = Object.keys(changes).filter(
      (key) => JSON.stringify(before.metadata[key]) !== JSON.stringify(changes[key]),
    );
    const { matched, unmatched } = set.findFlips(before, after, keys);
    const mine = members.get(endpointId)!;
    for (const number of matched) mine.add(number);
    for (const number of unmatched) mine.delete(number);
    flips += matched.length + unmatched.length;
    fleet.set(endpointId, after);
  }
  t.comment(`${flips} flips in ${observations.length} updates`);
  t.ok(flips > 10_000);

  let wrong = 0;
  let asked = 0;
  let differing = 0;
  const matches = new Array<number>(queries.length).fill(0);
  let position = 0;
  for (const doc of fleet.values()) {
    const all = set.matchAll(doc);
    const mine = [...members.get(doc.endpointId)!].sort((a, b) => a - b);
    if (JSON.stringify(all) !== JSON.stringify(mine)) wrong++;
    for (const number of all) matches[number]!++;
    // The stations that report, and a sample of the silent ones: the libraries are slow.
    if (position++ % 40 !== 0 && (!Object.hasOwn(doc.metadata, 'observed') || position % 8 !== 0)) continue;
    const stored = storedForm(doc);
    filters.forEach((_filter, number) => {
      asked++;
      const isMatch = all.includes(number);
      if (oracles[number]!.some((matchesStored) => matchesStored(stored) !== isMatch)) differing++;
    });
  }
  t.equal(wrong, 0, 'memberships are right');
  t.ok(asked > 24 * 1000, `${asked} pairs asked`);
  t.equal(differing, 0, 'mingo and sift agree');
  t.comment(filters.map(({ name }, number) => `${name}: ${matches[number]}`).join(', '));
  t.ok(matches.filter((count) => count > 0).length >= 20, 'most filters have members');
});
