import t from 'tap';
import type { JsonObject } from '../../src/model/json.js';
import type { Store } from '../../src/storage/index.js';
import { StorageUnavailable } from '../../src/storage/index.js';
import {
  codeOf,
  COLD,
  command,
  CONTEXT,
  createFilter,
  fill,
  filterEvents,
  fleet,
  freshMembers,
  HOT,
  membersOf,
  outboxOf,
  type Running,
  set,
  start,
  until,
  untilActive,
  valueOf,
} from './support.js';

/** Writes of all kinds, one after the other, until told to end. */
function disturb({ register }: Running, count: number, seed: number): { end: () => Promise<number> } {
  let going = true;
  let random = seed;
  const next = (below: number) => (random = (random * 48271) % 0x7fffffff) % below;
  const done = (async () => {
    let writes = 0;
    for (; going; writes++) {
      const id = `e${next(count)}`;
      const kind = next(10);
      if (kind === 0) await register.endpoints.submit(command(id, { type: 'unregister' }));
      else if (kind === 1)
        await register.endpoints.register(CONTEXT, {
          endpointId: id,
          versionName: 'v1',
          metadata: { temp: next(40) },
        });
      else if (kind === 2)
        await register.endpoints.submit(
          command(id, {
            type: 'set-version',
            version: { tenant: 'kaa', application: 'app', version: `v${1 + next(2)}` },
          }),
        );
      else await register.endpoints.submit(set(id, 'temp', next(40)));
    }
    return writes;
  })();
  return {
    end: () => {
      going = false;
      return done;
    },
  };
}

const QUERIES: JsonObject[] = [
  HOT,
  COLD,
  { application_version: 'v2' },
  { metadata: { $elemMatch: { key: 'temp', value: { $mod: [3, 0] } } } },
  { $nor: [HOT] },
];

for (const soleWriter of [true, false])
  void t.test(
    `members at activation and the events since are what a fresh query finds, under writes${soleWriter ? '' : ', where others may write'}`,
    async (t) => {
      const members = new Map<string, Set<string>>();
      const begun = new Map<string, number>();
      const running = await start(t, {
        wrap: (store) => ({
          ...store,
          soleWriter,
          // what is a member at the moment of activation: nothing else is written then
          commitFilters: async (writes) => {
            const results = await store.commitFilters(writes);
            for (const { filter } of writes) {
              if (filter.status !== 'active' || filter.deletedMs !== undefined || members.has(filter.id))
                continue;
              members.set(filter.id, new Set(await membersOf({ store } as Running, filter.number)));
              begun.set(filter.id, told());
            }
            return results;
          },
        }),
      });
      const told = () => running.events.length;
      await fill(t, running, fleet(600));
      const writers = [1, 2, 3, 4].map((seed) => disturb(running, 600, seed * 7919));
      const filters = [];
      for (const [i, query] of QUERIES.entries()) {
        filters.push(await createFilter(running, `f${i}`, query));
        await new Promise((resolve) => setTimeout(resolve, 20 * i));
      }
      for (const { filter } of filters) await untilActive(running, filter.id);
      await new Promise((resolve) => setTimeout(resolve, 200));
      const writes = await Promise.all(writers.map((writer) => writer.end()));
      t.comment(`${writes.join(' + ')} writes`);
      for (const { filter } of filters) {
        const folded = members.get(filter.id)!;
        let flips = 0;
        for (const { source, events } of running.events.slice(begun.get(filter.id)))
          for (const { kind, filterId } of events) {
            if (filterId !== filter.id || source === filter.id) continue;
            flips++;
            if (kind === 'ep-matched') {
              if (folded.has(source)) t.fail(`${source} is matched twice`);
              folded.add(source);
            } else if (!folded.delete(source)) t.fail(`${source} is unmatched, and was no member`);
          }
        const fresh = await freshMembers(running, JSON.parse(filter.queryText) as JsonObject);
        t.same([...folded].sort(), fresh, `${filter.name}: events, ${flips} flips`);
        t.same(await membersOf(running, filter.number), fresh, `${filter.name}: members`);
      }
    },
  );

/** Lets so many scans of stale records through, then waits. */
function stopping(store: Store, scans: number, reached: () => void): Store {
  let done = 0;
  return {
    ...store,
    scanStale: async (...args) => {
      if (done++ >= scans) {
        reached();
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new StorageUnavailable('not now');
      }
      return store.scanStale(...args);
    },
  };
}

void t.test('a restart in the middle of a recalculation', async (t) => {
  let isMiddle = false;
  const running = await start(t, { wrap: (store) => stopping(store, 2, () => (isMiddle = true)) });
  await fill(t, running, fleet(2000));
  const hot = await createFilter(running, 'hot', HOT);
  const cold = await createFilter(running, 'cold', COLD);
  await until(() => isMiddle);
  t.match(valueOf(await running.register.filters.get(CONTEXT, 'app', hot.filter.id)), {
    filter: { status: 'pending' },
    progress: { total: 2000 },
  });
  t.equal(
    codeOf(
      await running.register.endpoints.list(CONTEXT, {
        filterId: hot.filter.id,
        regex: false,
        sort: { by: 'endpointId', direction: 'asc' },
        offset: 0,
        limit: 1,
      }),
    ),
    'filter-pending',
  );
  const next = await running.restart({ threads: 1 });
  await next.register.endpoints.submit(set('e39', 'temp', 1));
  for (const { filter } of [hot, cold]) {
    await untilActive(next, filter.id);
    t.same(
      await membersOf(next, filter.number),
      await freshMembers(next, JSON.parse(filter.queryText) as JsonObject),
    );
    t.same(filterEvents(await outboxOf(next), filter.id), ['filter-pending 1', 'filter-activated 2']);
  }
  const again = await next.restart();
  t.match(valueOf(await again.register.filters.get(CONTEXT, 'app', hot.filter.id)), {
    filter: { status: 'active' },
    matchedEndpointsCount: 999,
  });
  await again.register.endpoints.submit(set('e0', 'temp', 39));
  t.match(again.events, [
    {
      source: 'e0',
      events: [
        {},
        { kind: 'ep-unmatched', filterId: cold.filter.id },
        { kind: 'ep-matched', filterId: hot.filter.id },
      ],
    },
  ]);
});

void t.test('a filter that is deleted, or whose query changes, while it is recalculated', async (t) => {
  let hold = true;
  let waits = 0;
  const running = await start(t, {
    wrap: (store) => ({
      ...store,
      scanStale: async (...args) => {
        for (waits++; hold;) await new Promise((resolve) => setTimeout(resolve, 5));
        return store.scanStale(...args);
      },
    }),
  });
  await fill(t, running, fleet(500));
  const gone = await createFilter(running, 'gone', HOT);
  const changed = await createFilter(running, 'changed', HOT);
  await until(() => waits > 0);
  await running.register.filters.remove(CONTEXT, 'app', gone.filter.id);
  await running.register.filters.change(CONTEXT, 'app', changed.filter.id, { mongoQuery: COLD });
  hold = false;
  const { filter } = await untilActive(running, changed.filter.id);
  t.same(await membersOf(running, filter.number), await freshMembers(running, COLD));
  t.same(filterEvents(running.events, gone.filter.id), ['filter-pending 1', 'filter-deleted 2']);
  t.same(filterEvents(running.events, changed.filter.id), [
    'filter-pending 1',
    'filter-pending 2',
    'filter-activated 3',
  ]);
  await until(async () => (await running.store.loadFilters()).length === 1);
  await until(
    async () =>
      (await membersOf(running, gone.filter.number)).length +
        (await membersOf(running, changed.filter.number)).length ===
      0,
  );
});

void t.test('stop while it recalculates ends soon, and clean-ups go on after a start', async (t) => {
  const running = await start(t, {
    wrap: (store) => ({ ...store, dropMemberships: () => Promise.reject(new StorageUnavailable('not now')) }),
  });
  await fill(t, running, fleet(300));
  const { filter } = await createFilter(running, 'hot', HOT);
  await untilActive(running, filter.id);
  await running.register.filters.remove(CONTEXT, 'app', filter.id);
  await createFilter(running, 'other', COLD);
  const next = await running.restart();
  await until(async () => (await next.store.loadFilters()).every(({ deletedMs }) => deletedMs === undefined));
  t.same(await membersOf(next, filter.number), []);
});
