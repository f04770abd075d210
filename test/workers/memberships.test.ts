import t from 'tap';
import { decodeRecord } from '../../src/model/record.js';
import { holdFilters } from '../../src/workers/application-filters.js';
import {
  command,
  evaluate,
  eventsOf,
  holding,
  outcomesOf,
  payloadsOf,
  put,
  recordAfter,
  register,
  setKey,
  source,
  V2,
} from './support.js';

const hot = { metadata: { $elemMatch: { key: 'temp', value: { $gt: 20 } } } };
const cold = { metadata: { $elemMatch: { key: 'temp', value: { $lt: 5 } } } };
const onV2 = { application_version: 'v2' };

void t.test('a registration, an update, a version, an unregistration', async (t) => {
  const held = holding(put(1, hot), put(2, cold), put(3, onV2), put(4, { metadata: { $size: 1 } }, false));
  const first = evaluate([register({ temp: 30 })], { held });
  t.match(first.write, { matched: [1, 4], unmatched: [] });
  t.same(
    eventsOf(first),
    ['registered 1', 'ep-matched 1 f1'],
    'the pending filter has members and no events',
  );
  t.match(payloadsOf(first)[1], {
    filterId: 'f1',
    filterName: 'filter 1',
    applicationName: 'app',
    appVersionName: 'v1',
    endpointId: 'e1',
  });
  t.equal(decodeRecord(first.write!.record).filterSet, 4);

  const second = evaluate([setKey('temp', 0)], { held, record: first.write!.record });
  t.match(second.write, { matched: [2], unmatched: [1] });
  t.same(
    eventsOf(second),
    ['metadata-updated 2', 'ep-unmatched 2 f1', 'ep-matched 2 f2'],
    'unmatched come first',
  );

  const third = evaluate([command({ type: 'set-version', version: V2 })], {
    held,
    record: second.write!.record,
  });
  t.match(third.write, { matched: [3], unmatched: [] });
  t.same(eventsOf(third), ['appversion-updated 3', 'ep-matched 3 f3']);
  t.equal(payloadsOf(third)[1]!['appVersionName'], 'v2');

  const last = evaluate([command({ type: 'unregister' })], { held, record: third.write!.record });
  t.match(last.write, { matched: [], unmatched: [2, 3, 4] });
  t.same(eventsOf(last), ['ep-unmatched 4 f2', 'ep-unmatched 4 f3', 'unregistered 4']);
});

void t.test('flips within a group: every event, and the net of memberships', async (t) => {
  const held = holding(put(1, hot), put(2, cold));
  const record = recordAfter([register({ temp: 10 })], held);
  const group = evaluate(
    [setKey('temp', 30), setKey('temp', 0), setKey('temp', 25), setKey('temp', 10), setKey('temp', 1)],
    { held, record },
  );
  t.same(eventsOf(group), [
    'metadata-updated 2',
    'ep-matched 2 f1',
    'metadata-updated 3',
    'ep-unmatched 3 f1',
    'ep-matched 3 f2',
    'metadata-updated 4',
    'ep-unmatched 4 f2',
    'ep-matched 4 f1',
    'metadata-updated 5',
    'ep-unmatched 5 f1',
    'metadata-updated 6',
    'ep-matched 6 f2',
  ]);
  t.match(group.write, { matched: [2], unmatched: [] });
  const life = evaluate([register({ temp: 30 }), command({ type: 'unregister' })], { held });
  t.match(life.write, { matched: [], unmatched: [] });
  t.same(eventsOf(life), ['registered 1', 'ep-matched 1 f1', 'ep-unmatched 2 f1', 'unregistered 2']);
});

void t.test('a record that was evaluated before a filter came is caught up on its next write', async (t) => {
  const before = recordAfter([register({ temp: 30 })], holding(put(1, cold)));
  const held = holding(put(1, cold), put(2, hot, false));
  const evaluated = evaluate([command({ type: 'evaluate' })], { held, record: before });
  t.same(outcomesOf(evaluated), ['unchanged']);
  t.match(evaluated.write, { matched: [2], unmatched: [], moved: false });
  t.same(eventsOf(evaluated), [], 'the initial evaluation publishes nothing');
  t.match(decodeRecord(evaluated.write!.record), { revision: 1, filterSet: 2 }, 'the revision stays');
  t.equal(
    evaluate([command({ type: 'evaluate' })], { held, record: evaluated.write!.record }).write,
    undefined,
  );

  t.match(
    evaluate([setKey('temp', 40)], { held, record: before }).write,
    { matched: [2], unmatched: [] },
    'it still matches',
  );
  const left = evaluate([setKey('temp', 10)], { held, record: before });
  t.match(
    left.write,
    { matched: [], unmatched: [] },
    'it matched, and does no more: what was no member is not unmatched',
  );
  t.equal(decodeRecord(left.write!.record).filterSet, 2);
  t.match(evaluate([command({ type: 'unregister' })], { held, record: before }).write, {
    matched: [],
    unmatched: [],
  });
  t.equal(evaluate([setKey('temp', 30)], { held, record: before }).write, undefined, 'a no-op does not');
});

void t.test('another thread reads the sets in the same memory, and is told when they move', async (t) => {
  const sets = source(put(1, hot, false));
  const held = holdFilters();
  const look = () => eventsOf(evaluate([register({ temp: 30 })], { held }));
  t.same(look(), ['registered 1'], 'it knows of none');
  held.update(sets.updateSince(held.epoch));
  t.equal(held.epoch, sets.epoch);
  t.equal(held.of('app').size, 1);
  t.same(look(), ['registered 1'], 'a pending filter has no events');
  sets.change(put(1, hot, true, 2));
  t.equal(held.epoch, sets.epoch, 'it has not moved');
  t.same(look(), ['registered 1', 'ep-matched 1 f1']);
  t.equal(held.of('app').version, 2);
  for (let number = 3; number < 3000; number++) sets.change(put(number, hot, false));
  t.not(held.epoch, sets.epoch, 'it has grown, and moved');
  held.update(sets.updateSince(held.epoch));
  t.equal(evaluate([register({ temp: 30 })], { held }).write?.matched.length, 2998);
  for (let number = 3; number < 3000; number++) sets.change({ kind: 'remove', number, version: 3000 });
  sets.change(put(4000, cold));
  t.equal(held.epoch, sets.epoch);
  t.same(evaluate([register({ temp: 0 })], { held }).write?.matched, [4000]);
  t.same(sets.updateSince(held.epoch).images, []);
});
