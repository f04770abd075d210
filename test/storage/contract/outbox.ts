import type { Test } from 'tap';
import { decodeEvents } from '../../../src/model/event.js';
import type { OutboxEntry, OutboxPosition, Store } from '../../../src/storage/port.js';
import {
  eventsOf,
  filterOf,
  guard,
  idOf,
  kindsOf,
  register,
  unregister,
  update,
  written,
  type OpenStore,
} from './building.js';

/** All entries by pages of `limit`; asserts that each source's are in order and none comes twice. */
export async function drain(t: Test, store: Store, limit: number): Promise<OutboxEntry[]> {
  const entries: OutboxEntry[] = [];
  const last = new Map<string, OutboxPosition & { revision: number }>();
  for (;;) {
    const page = await store.readOutbox(limit, entries.at(-1)?.position);
    if (page.length > limit) t.fail(`a page of ${page.length} entries`);
    if (page.length === 0) return entries;
    for (const { position, events } of page) {
      const group = decodeEvents(events);
      const revision = group.events[0]!.revision;
      const before = last.get(position.source);
      if (group.source !== position.source) t.fail('a position names the source of its events');
      if (before && !(before.order < position.order)) t.fail('the order of a source grows');
      if (before && !(before.revision <= revision)) t.fail('revisions of a source are in order');
      last.set(position.source, { ...position, revision });
    }
    entries.push(...page);
    if (entries.length > 100_000) throw new Error('The outbox does not end.');
  }
}

function revisionsOf(entries: readonly OutboxEntry[], source: string): number[] {
  return entries
    .filter((entry) => entry.position.source === source)
    .map((entry) => decodeEvents(entry.events).events[0]!.revision);
}

/** Events that were committed and are to be published. */
export function outboxContract(t: Test, open: OpenStore): void {
  void t.test('entries are kept with their writes, in order, over a restart', async (t) => {
    const { store, reopen } = await open(t);
    const ids = Array.from({ length: 20 }, (_, i) => idOf(i));
    await written(
      t,
      store,
      ids.map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
    );
    for (let revision = 2; revision <= 5; revision++) {
      await written(
        t,
        store,
        ids.map((id) => update({ id, revision }, { events: eventsOf(id, revision) })),
      );
    }
    for (const next of [() => store, reopen]) {
      const at = await next();
      for (const limit of [1000, 7]) {
        const entries = await drain(t, at, limit);
        t.equal(entries.length, 100);
        for (const id of ids) t.same(revisionsOf(entries, id), [1, 2, 3, 4, 5]);
      }
    }
  });

  void t.test(
    'a page ends with the entry that reaches its bytes, and the next one goes on there',
    async (t) => {
      const { store } = await open(t);
      const ids = Array.from({ length: 10 }, (_, i) => idOf(i));
      await written(
        t,
        store,
        ids.map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
      );
      const size = eventsOf(ids[0]!, 1, 'registered').length;
      const read: OutboxEntry[] = [];
      for (const [maxBytes, count] of [
        [1, 1],
        [size, 1],
        [size + 1, 2],
        [size * 5, 5],
        [size * 5, 1],
        [size, 0],
      ] as const) {
        const page = await store.readOutbox(100, read.at(-1)?.position, maxBytes);
        t.equal(page.length, count);
        read.push(...page);
      }
      t.equal(new Set(read.map(({ position }) => position.source)).size, 10);
    },
  );

  void t.test(
    'no events, no entry; a refused write leaves none; a written one says its position',
    async (t) => {
      const { store } = await open(t);
      const results = await store.commit([
        register({ id: idOf(1) }, { events: eventsOf(idOf(1), 1, 'registered') }),
        register({ id: idOf(2) }),
        update({ id: idOf(3), revision: 2 }, { events: eventsOf(idOf(3), 2) }),
      ]);
      t.same(kindsOf(results), ['written', 'written', 'conflict']);
      const entries = await store.readOutbox(10);
      t.equal(entries.length, 1);
      t.match(results[0], { kind: 'written', outbox: entries[0]!.position });
      t.same(results[1], { kind: 'written' });
      t.same(Buffer.from(entries[0]!.events), Buffer.from(eventsOf(idOf(1), 1, 'registered')));
    },
  );

  void t.test(
    'what is cleared is gone, what is not stays; clearing again or the unknown does nothing',
    async (t) => {
      const { store, reopen } = await open(t);
      const ids = Array.from({ length: 10 }, (_, i) => idOf(i));
      await written(
        t,
        store,
        ids.map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
      );
      await written(
        t,
        store,
        ids.map((id) => update({ id, revision: 2 }, { events: eventsOf(id, 2) })),
      );
      const entries = await drain(t, store, 6);
      const first = entries
        .filter((entry) => decodeEvents(entry.events).events[0]!.revision === 1)
        .map((entry) => entry.position);
      await store.clearOutbox(first);
      await store.clearOutbox(first);
      await store.clearOutbox([{ source: idOf(500), order: 3 }]);
      await store.clearOutbox([]);
      const again = await reopen();
      const rest = await drain(t, again, 6);
      t.same(
        rest.map((entry) => decodeEvents(entry.events).events[0]!.revision),
        new Array(10).fill(2),
      );
      t.same(await again.readStoredOutbox(6), await again.readOutbox(6));
      const [{ position: third }] = (await again.readStoredOutbox(10)).slice(2) as [OutboxEntry];
      const before = { source: third.source, order: third.order - 1 };
      t.same(
        (await again.readStoredOutbox(1, before)).map(({ position }) => position),
        [third],
        'one is found by its place',
      );
      await again.clearOutbox([...first, ...rest.map((entry) => entry.position)]);
      t.same(await again.readOutbox(10), []);
      await written(t, again, [update({ id: ids[0]!, revision: 3 }, { events: eventsOf(ids[0]!, 3) })]);
      const [next] = await again.readOutbox(10);
      const lastOrder = Math.max(
        ...entries.filter((entry) => entry.position.source === ids[0]).map((entry) => entry.position.order),
      );
      t.ok(next!.position.order > lastOrder, 'orders are not used again');
      await again.clearOutbox(entries.map((entry) => entry.position));
      t.equal((await again.readOutbox(10)).length, 1, 'an old position clears no new entry');
    },
  );

  void t.test(
    'clearing by turns with writing: pages show what is not cleared, and nothing else',
    async (t) => {
      const { store, reopen } = await open(t);
      const ids = Array.from({ length: 8 }, (_, i) => idOf(i));
      const left = new Map(ids.map((id) => [id, [1]]));
      await written(
        t,
        store,
        ids.map((id) => register({ id }, { events: eventsOf(id, 1, 'registered') })),
      );
      for (let revision = 2; revision <= 9; revision++) {
        // every second endpoint keeps its oldest entry, as when another one publishes it
        const kept = new Set(ids.filter((_, i) => i % 2 === 0));
        const cleared = (await drain(t, store, 5)).filter(
          ({ position, events }) =>
            !(kept.has(position.source) && decodeEvents(events).events[0]!.revision === 1) &&
            !position.source.startsWith(ids[revision - 2]!),
        );
        await store.clearOutbox(cleared.map((entry) => entry.position));
        for (const { position, events } of cleared) {
          const gone = decodeEvents(events).events[0]!.revision;
          left.set(
            position.source,
            left.get(position.source)!.filter((each) => each !== gone),
          );
        }
        for (const id of ids) t.same(revisionsOf(await drain(t, store, 3), id), left.get(id));
        await written(
          t,
          store,
          ids.map((id) =>
            revision === 5
              ? unregister({ id, revision }, { events: eventsOf(id, revision, 'unregistered') })
              : revision === 6
                ? register(
                    { id, revision },
                    { expected: guard(5), events: eventsOf(id, revision, 'registered') },
                  )
                : update({ id, revision }, revision === 7 ? {} : { events: eventsOf(id, revision) }),
          ),
        );
        if (revision !== 7) for (const id of ids) left.get(id)!.push(revision);
      }
      for (const next of [() => store, reopen]) {
        const at = await next();
        for (const id of ids) t.same(revisionsOf(await drain(t, at, 4), id), left.get(id));
      }
    },
  );

  void t.test('orders go on after all was cleared and the store was opened again', async (t) => {
    const { store, reopen } = await open(t);
    await written(t, store, [register({ id: idOf(1) }, { events: eventsOf(idOf(1), 1, 'registered') })]);
    const [first] = await store.readOutbox(10);
    await store.clearOutbox([first!.position]);
    const again = await reopen();
    await written(t, again, [update({ id: idOf(1), revision: 2 }, { events: eventsOf(idOf(1), 2) })]);
    const [second] = await again.readOutbox(10);
    t.ok(second!.position.order > first!.position.order);
  });

  void t.test('an endpoint that goes and comes back keeps the order of its events', async (t) => {
    const { store, reopen } = await open(t);
    const id = idOf(1);
    await written(t, store, [register({ id }, { events: eventsOf(id, 1, 'registered') })]);
    await written(t, store, [unregister({ id, revision: 2 }, { events: eventsOf(id, 2, 'unregistered') })]);
    await written(t, store, [
      register({ id, revision: 3 }, { expected: guard(2), events: eventsOf(id, 3, 'registered') }),
    ]);
    await written(t, store, [unregister({ id, revision: 4 }, { events: eventsOf(id, 4, 'unregistered') })]);
    t.same(revisionsOf(await drain(t, await reopen(), 2), id), [1, 2, 3, 4]);
  });

  void t.test('filters have entries, too', async (t) => {
    const { store, reopen } = await open(t);
    const filter = filterOf();
    const [result] = await store.commitFilters([
      { filter, expectedRevision: 0, events: eventsOf(filter.id, 1, 'filter-pending') },
    ]);
    await written(t, store, [register({ id: idOf(1) }, { events: eventsOf(idOf(1), 1, 'registered') })]);
    await store.commitFilters([
      {
        filter: { ...filter, revision: 2 },
        expectedRevision: 1,
        events: eventsOf(filter.id, 2, 'filter-activated'),
      },
    ]);
    const refused = {
      filter: { ...filter, revision: 2 },
      expectedRevision: 1,
      events: eventsOf(filter.id, 2, 'filter-deleted'),
    };
    t.same(kindsOf(await store.commitFilters([refused])), ['conflict']);
    const again = await reopen();
    const entries = await drain(t, again, 1);
    t.equal(entries.length, 3);
    t.same(revisionsOf(entries, filter.id), [1, 2]);
    t.match(result, {
      kind: 'written',
      outbox: entries.find((entry) => entry.position.source === filter.id)!.position,
    });
    await again.clearOutbox(entries.map((entry) => entry.position));
    t.same(await again.readOutbox(10), []);
  });
}
