import { pino } from 'pino';
import t from 'tap';
import { decodeRecord } from '../../src/model/record.js';
import type { JsonObject } from '../../src/model/json.js';
import type { FilterView } from '../../src/register/index.js';
import { StorageUnavailable, type Store } from '../../src/storage/index.js';
import {
  COLD,
  codeOf,
  CONTEXT,
  createFilter,
  fill,
  fleet,
  freshMembers,
  HOT,
  membersOf,
  type Running,
  set,
  start,
  until,
  untilActive,
  valueOf,
} from './support.js';

/** Lets scans of stale records through one by one, as they are allowed. */
function stepwise(): { wrap: (store: Store) => Store; allow: (scans: number) => void; asked: string[] } {
  let allowed = 0;
  /** after what each scan began; a scan that waits is among them */
  const asked: string[] = [];
  return {
    asked,
    allow: (scans) => (allowed += scans),
    wrap: (store) => ({
      ...store,
      scanStale: async (...args) => {
        const mine = asked.push(args[3] ?? 'the beginning');
        await until(() => mine <= allowed);
        return store.scanStale(...args);
      },
    }),
  };
}

async function viewOf({ register }: Running, { filter }: FilterView): Promise<FilterView> {
  return valueOf(await register.filters.get(CONTEXT, 'app', filter.id));
}

/** of the log */
interface Line {
  level: number;
  msg: string;
  filter?: string;
  active?: number;
  names?: string[];
}

void t.test('progress grows to the total, also of a filter that comes in the middle', async (t) => {
  const steps = stepwise();
  const running = await start(t, { wrap: steps.wrap });
  await fill(t, running, fleet(400));
  const first = await createFilter(running, 'first', HOT);
  t.match(first.progress, { evaluated: 0, total: 400 }, 'from the beginning on');
  await until(() => steps.asked.length > 0);
  const second = await createFilter(running, 'second', COLD);
  t.same((await viewOf(running, first)).progress, { evaluated: 0, total: 400, state: 'evaluating' });
  t.same(second.progress, { evaluated: 0, total: 400, state: 'waiting' });
  const seen = [first, second].map(({ filter }) => ({
    filter,
    evaluated: [0],
    tags: new Map<string, string>(),
  }));
  for (let active = 0; active < 2; active = seen.filter(({ filter }) => filter.status === 'active').length) {
    for (const one of seen) {
      const { filter, etag, matchedEndpointsCount, progress } = await viewOf(running, {
        ...first,
        filter: one.filter,
      });
      one.filter = filter;
      if (filter.status === 'active') {
        t.notOk(progress, 'an active one has none');
        const evaluated = seen[1]!.evaluated.at(-1)!;
        t.ok(evaluated > 200, `the second was evaluated with it: ${evaluated}`);
        continue;
      }
      one.evaluated.push(progress!.evaluated);
      t.equal(progress!.total, 400);
      if (progress!.state === 'waiting') t.equal(progress!.evaluated, 0);
      const told = JSON.stringify([progress, matchedEndpointsCount]);
      if ((one.tags.get(etag) ?? told) !== told) t.fail(`the same tag for ${told} and ${one.tags.get(etag)}`);
      one.tags.set(etag, told);
    }
    steps.allow(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  for (const { filter, evaluated } of seen) {
    t.same(
      evaluated,
      [...evaluated].sort((a, b) => a - b),
      `${filter.name} never goes back`,
    );
    t.ok(new Set(evaluated).size > 2, `${filter.name} was seen at ${[...new Set(evaluated)].join(', ')}`);
    const query = JSON.parse(filter.queryText) as JsonObject;
    t.same(await membersOf(running, filter.number), await freshMembers(running, query));
  }
});

void t.test('filters that come in the middle begin there, and end when it is passed again', async (t) => {
  const steps = stepwise();
  const logged: Line[] = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line) as Line) },
  );
  const running = await start(t, { wrap: steps.wrap, log });
  await fill(t, running, fleet(120));
  const first = await createFilter(running, 'first', HOT);
  await until(() => steps.asked.length > 0);
  steps.allow(1);
  await until(() => steps.asked.length > 1);
  const others: FilterView[] = [];
  for (let i = 0; i < 12; i++) others.push(await createFilter(running, `f${i}`, i % 2 === 0 ? HOT : COLD));
  steps.allow(1000);
  for (const { filter } of [first, ...others]) {
    await untilActive(running, filter.id);
    const query = filter.queryText === first.filter.queryText ? HOT : COLD;
    t.same(await membersOf(running, filter.number), await freshMembers(running, query));
  }
  const turns = steps.asked.filter((after) => after === 'the beginning').length;
  t.equal(turns, 2, 'the second time around is for those that came');
  const again = steps.asked.lastIndexOf('the beginning');
  t.ok(steps.asked.slice(again).length < again, `and ends where they began: ${steps.asked.join(', ')}`);
  await until(() => logged.some(({ msg }) => msg === 'filters were recalculated'));
  const info = logged.filter(({ level }) => level >= pino.levels.values['info']!);
  t.match(
    info.map(({ msg, active, names }) => ({ msg, active, names: names?.length })),
    [{ msg: 'filters are recalculated' }, { msg: 'filters were recalculated', active: 13, names: 10 }],
    'two lines, however many filters',
  );
  const names = [first, ...others].map(({ filter }) => filter.name);
  const told = logged.filter(({ msg }) => msg === 'a filter is active').map(({ filter }) => filter);
  t.same(told.sort(), names.sort(), 'each of them where more is wished');
});

void t.test('writes and reads are answered in the middle of a pass', async (t) => {
  let during = 0;
  const running: Running = await start(t, {
    wrap: (store) => ({
      ...store,
      // the pass goes on only when these are answered
      scanStale: async (...args) => {
        const id = `e${during++}`;
        t.equal(codeOf(await running.register.endpoints.submit(set(id, 'temp', 39))), 'applied');
        t.equal(codeOf(await running.register.endpoints.get(CONTEXT, id)), 'ok');
        return store.scanStale(...args);
      },
    }),
  });
  // none has this temperature
  const endpoints = Object.entries(fleet(500)).map(([id]) => [id, { temp: 1 }] as const);
  await fill(t, running, Object.fromEntries(endpoints));
  const { filter } = await createFilter(running, 'hot', HOT);
  await untilActive(running, filter.id);
  t.ok(during > 3, `${during} writes`);
  t.same(await membersOf(running, filter.number), await freshMembers(running, HOT));
});

void t.test('a restart goes on where it was', async (t) => {
  const steps = stepwise();
  const running = await start(t, { wrap: steps.wrap });
  await fill(t, running, fleet(600));
  const view = await createFilter(running, 'hot', HOT);
  // so many that a step has ended
  steps.allow(2);
  await until(async () => ((await viewOf(running, view)).progress?.evaluated ?? 0) > 0);
  const before = (await viewOf(running, view)).progress!.evaluated;
  const stopped = running.stop();
  steps.allow(1000);
  await stopped;
  const later = stepwise();
  const next = await running.restart({ wrap: later.wrap });
  await until(() => later.asked.length > 0);
  const { progress } = await viewOf(next, view);
  t.ok(progress!.evaluated >= before, `${progress!.evaluated}, and ${before} before`);
  t.not(later.asked[0], 'the beginning');
  later.allow(1000);
  await untilActive(next, view.filter.id);
  t.same(await membersOf(next, view.filter.number), await freshMembers(next, HOT));
  await until(async () => (await next.store.getPass('app')) === undefined);
});

void t.test('a storage that fails is tried again, from there on', async (t) => {
  let scans = 0;
  const asked: (string | undefined)[] = [];
  const running = await start(t, {
    wrap: (store) => ({
      ...store,
      scanStale: async (...args) => {
        if (++scans === 4) throw new StorageUnavailable('not now');
        asked.push(args[3]);
        return store.scanStale(...args);
      },
      putPass: () => Promise.reject(new StorageUnavailable('not now, either')),
    }),
  });
  await fill(t, running, fleet(500));
  const { filter } = await createFilter(running, 'hot', HOT);
  await until(() => asked.length > 3);
  t.equal(asked.filter((after) => after === undefined).length, 1);
  const members = await freshMembers(running, HOT);
  await until(async () => (await membersOf(running, filter.number)).length === members.length);
});

void t.test('where nobody else writes, only members are written', async (t) => {
  const written: string[] = [];
  const running = await start(t, {
    wrap: (store) => ({
      ...store,
      commit: (writes) => {
        written.push(...writes.map(({ endpointId }) => endpointId));
        return store.commit(writes);
      },
    }),
  });
  await fill(t, running, fleet(200));
  written.length = 0;
  const { filter } = await createFilter(running, 'hot', HOT);
  await untilActive(running, filter.id);
  const members = await membersOf(running, filter.number);
  t.same(written.sort(), members);
  t.equal(members.length, 100);

  const events = running.events.length;
  await running.register.endpoints.submit(set('e0', 'temp', 25));
  await running.register.endpoints.submit(set('e1', 'other', 1));
  await running.register.endpoints.submit(set('e20', 'temp', 1));
  t.same(
    running.events.slice(events).map(({ events }) => events.map(({ kind }) => kind)),
    [['metadata-updated', 'ep-matched'], ['metadata-updated'], ['metadata-updated', 'ep-unmatched']],
  );
});

void t.test('where others write, each record is noted as evaluated', async (t) => {
  const running = await start(t, { wrap: (store) => ({ ...store, soleWriter: false }) });
  const endpoints = fleet(200);
  await fill(t, running, endpoints);
  const { filter } = await createFilter(running, 'hot', HOT);
  await untilActive(running, filter.id);
  const records = await running.store.load(Object.keys(endpoints));
  t.same([...new Set(records.map((record) => decodeRecord(record!).filterSet))], [filter.number]);
  t.same(await membersOf(running, filter.number), await freshMembers(running, HOT));
});

void t.test('metrics', async (t) => {
  const steps = stepwise();
  const running = await start(t, { wrap: steps.wrap });
  await fill(t, running, fleet(200));
  const { filter } = await createFilter(running, 'hot', HOT);
  await until(() => steps.asked.length > 0);
  const during = await running.metrics.metrics();
  t.match(during, 'epr_filters{application="app",status="pending"} 1');
  t.match(during, 'epr_filters{application="app",status="active"} 0');
  t.match(during, 'epr_recalculation_endpoints{application="app",state="left"} 200');
  t.match(during, 'epr_recalculation_share 1');
  t.match(during, 'epr_recalculation_idle_seconds{application="app"} ');
  steps.allow(1000);
  await untilActive(running, filter.id);
  await until(async () => /^epr_recalculation_share 0$/m.test(await running.metrics.metrics()));
  const after = await running.metrics.metrics();
  t.match(after, 'epr_filters{application="app",status="pending"} 0');
  t.match(after, 'epr_filters{application="app",status="active"} 1');
  t.match(after, 'epr_recalculation_endpoints_evaluated_total{application="app"} 200');
  t.match(after, 'epr_recalculations_total{application="app"} 1');
  t.match(after, 'epr_recalculation_seconds_count 1');
  t.notMatch(after, /epr_recalculation_(endpoints|idle_seconds)\{/);
});
