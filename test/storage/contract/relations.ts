import type { Test } from 'tap';
import { decodeEvents, encodeEvents } from '../../../src/model/event.js';
import { headOf } from '../../../src/model/record.js';
import {
  relationEventRevision,
  relationKeyOf,
  relationSourceOf,
  type Relation,
  type RelationEnd,
} from '../../../src/model/relation.js';
import type { RelationsWrite, Store } from '../../../src/storage/port.js';
import { idOf, register, START_MS, unregister, update, written, type OpenStore } from './building.js';
import { drain } from './outbox.js';

const end = (endpointId: string, createdMs = START_MS): RelationEnd => ({ endpointId, createdMs });
const link = (from: RelationEnd, to: RelationEnd): Relation => ({ from, to });

function eventAt(tenant: string, revision: number, place: number): Uint8Array {
  const event = {
    kind: 'relations-updated' as const,
    revision: relationEventRevision(revision, place),
    payload: Buffer.from(`${revision}/${place}`),
  };
  return encodeEvents({ source: relationSourceOf(tenant), tenant, application: 'app', events: [event] });
}

function change(expectedRevision: number, parts: Partial<RelationsWrite>): RelationsWrite {
  return { tenant: 'kaa', expectedRevision, link: [], unlink: [], events: [], ...parts };
}

async function contentsOf(store: Store, of: RelationEnd): Promise<RelationEnd[]> {
  const query = { tenant: 'kaa', end: of, direction: 'contains' as const, offset: 0, limit: 1000 };
  const { ends, total } = await store.findRelations(query);
  if (total !== ends.length) throw new Error(`${total} are counted, ${ends.length} are listed`);
  return ends;
}

/** Links between registrations of endpoints, and their changes one after the other. */
export function relationContract(t: Test, open: OpenStore): void {
  const [a, b, c] = [end('a'), end('b', START_MS + 1), end('c', START_MS + 2)];

  void t.test('links are seen from both ends, and go', async (t) => {
    const { store, reopen } = await open(t);
    t.equal(await store.relationsRevision('kaa'), 0);
    const [ab, ac, bc] = [link(a, b), link(a, c), link(b, c)];
    const first = await store.commitRelations(change(0, { link: [ab, ac, bc] }));
    t.same(first, { kind: 'written', outbox: [] });
    t.equal(await store.relationsRevision('kaa'), 1);
    t.same(await store.linked('kaa', [ab, link(b, a), bc]), [true, false, true]);
    t.same(await contentsOf(store, a), [c, b], 'newest first');
    const up = { tenant: 'kaa', direction: '!contains' as const, offset: 0, limit: 10 };
    t.same(await store.findRelations({ ...up, end: c }), { ends: [b, a], total: 2 });
    t.same(await store.findRelations({ ...up, end: a }), { ends: [], total: 0 });
    await store.commitRelations(change(1, { unlink: [ab, bc], link: [link(c, b)] }));
    const again = await reopen();
    t.equal(await again.relationsRevision('kaa'), 2);
    t.same(await again.linked('kaa', [ab, ac, bc, link(c, b)]), [false, true, false, true]);
    t.same(await contentsOf(again, a), [c]);
    t.same(await again.findRelations({ ...up, end: b }), { ends: [c], total: 1 });
    await again.commitRelations(change(2, { link: [ab] }));
    t.same(await contentsOf(again, a), [c, b], 'what was unlinked can be linked again');
    t.same(await again.linked('kaa', [ab]), [true]);
  });

  void t.test('an endpoint that is registered anew is another end', async (t) => {
    const { store } = await open(t);
    const anew = end('a', START_MS + 50);
    await store.commitRelations(change(0, { link: [link(a, b), link(anew, c)] }));
    t.same(await contentsOf(store, a), [b]);
    t.same(await contentsOf(store, anew), [c]);
    t.same(await store.related('kaa', [anew], 'contains', 10), { relations: [link(anew, c)], more: false });
    t.same(await store.linked('kaa', [link(a, c), link(anew, c)]), [false, true]);
    await store.commitRelations(change(1, { unlink: [link(a, b)] }));
    t.same([await contentsOf(store, a), await contentsOf(store, anew)], [[], [c]]);
  });

  void t.test('one of many changes computed from the same state happens, whole', async (t) => {
    const { store } = await open(t);
    const changes = Array.from({ length: 12 }, (_, i) => [link(a, end(`x${i}`)), link(a, end(`y${i}`))]);
    const results = await Promise.all(
      changes.map((both, i) =>
        store
          .commitRelations(change(0, { link: both, events: [eventAt('kaa', 1, 0), eventAt('kaa', 1, 1)] }))
          .then((result) => ({ result, i })),
      ),
    );
    const winners = results.filter(({ result }) => result.kind === 'written');
    t.equal(winners.length, 1);
    t.equal(results.filter(({ result }) => result.kind === 'conflict').length, 11);
    const { i, result } = winners[0]!;
    t.same(await contentsOf(store, a), [end(`x${i}`), end(`y${i}`)]);
    t.equal(await store.relationsRevision('kaa'), 1);
    const entries = await drain(t, store, 100);
    t.same(
      entries.map(({ position }) => position),
      result.kind === 'written' && result.outbox,
      'a lost change leaves no events',
    );
    t.equal((await store.commitRelations(change(7, { link: changes[0]! }))).kind, 'conflict');
    t.equal((await store.commitRelations({ ...change(0, {}), tenant: 'acme' })).kind, 'written');
  });

  void t.test('events come with their change, in order, until they are cleared', async (t) => {
    const { store, reopen } = await open(t);
    const positions = [];
    for (let revision = 1; revision <= 5; revision++) {
      const events = [0, 1].map((place) => eventAt('kaa', revision, place));
      const result = await store.commitRelations(
        change(revision - 1, { link: [link(a, end(`x${revision}`))], events }),
      );
      if (result.kind === 'written') positions.push(...result.outbox);
    }
    await store.commitRelations({ ...change(0, { events: [eventAt('acme', 1, 0)] }), tenant: 'acme' });
    const again = await reopen();
    const entries = (await again.readOutbox(100)).filter(
      ({ position }) => position.source === relationSourceOf('kaa'),
    );
    t.same(
      entries.map(({ position }) => position),
      positions,
    );
    t.same(
      entries.map(({ events }) => decodeEvents(events).events[0]!.revision),
      [1, 2, 3, 4, 5].flatMap((revision) => [0, 1].map((place) => relationEventRevision(revision, place))),
    );
    t.equal(decodeEvents(entries[0]!.events).source, relationSourceOf('kaa'));
    await again.clearOutbox(positions.slice(0, 3));
    t.equal((await again.readOutbox(100)).length, 8);
    await again.commitRelations(change(5, { events: [eventAt('kaa', 6, 0)] }));
    t.equal((await again.readOutbox(100)).length, 9);
    await again.clearOutbox((await again.readOutbox(100)).map(({ position }) => position));
    t.same(await again.readOutbox(100), []);
    t.same(await (await reopen()).readOutbox(100), []);
  });

  void t.test('pages by offset and by place, in both directions', async (t) => {
    const { store } = await open(t);
    const hub = end('hub');
    // many of one date, in an order of ids that is not the one of insertion
    const ends = Array.from({ length: 60 }, (_, i) => end(`e${(i * 37) % 60}`, START_MS + (i % 4)));
    const links = ends.flatMap((other) => [link(hub, other), link(other, end('leaf'))]);
    await store.commitRelations(change(0, { link: links }));
    const sorted = [...ends].sort(
      (x, y) => y.createdMs - x.createdMs || (x.endpointId < y.endpointId ? -1 : 1),
    );
    for (const [of, direction] of [
      [hub, 'contains'],
      [end('leaf'), '!contains'],
    ] as const) {
      const query = { tenant: 'kaa', end: of, direction };
      for (const limit of [1, 7, 60, 61]) {
        const byPlace: RelationEnd[] = [];
        let after: RelationEnd | undefined;
        do {
          const page = await store.findRelations({
            ...query,
            offset: 0,
            limit,
            ...(after === undefined ? {} : { after }),
          });
          t.equal(page.total, 60);
          byPlace.push(...page.ends);
          after = page.next;
        } while (after !== undefined);
        t.same(byPlace, sorted, `${direction}, ${limit} a page`);
      }
      const middle = await store.findRelations({ ...query, offset: 25, limit: 10 });
      t.same(middle.ends, sorted.slice(25, 35));
      t.same(middle.next, sorted[34]);
      t.same(await store.findRelations({ ...query, offset: 60, limit: 10 }), { ends: [], total: 60 });
    }
  });

  void t.test('links of several ends at once, up to a limit', async (t) => {
    const { store } = await open(t);
    const links = [link(a, c), link(b, c), link(a, end('d')), link(end('d'), b)];
    await store.commitRelations(change(0, { link: links }));
    const keys = (relations: readonly Relation[]) => relations.map(relationKeyOf).sort();
    const down = await store.related('kaa', [a, b, c], 'contains', 3);
    t.same([keys(down.relations), down.more], [keys(links.slice(0, 3)), false]);
    const up = await store.related('kaa', [c, b], '!contains', 10);
    t.same([keys(up.relations), up.more], [keys([links[0]!, links[1]!, links[3]!]), false]);
    const some = await store.related('kaa', [a, b], 'contains', 2);
    t.same([some.relations.length, some.more], [2, true]);
    t.same(await store.related('kaa', [end('nobody')], 'contains', 10), { relations: [], more: false });
    t.same(await store.related('kaa', [], 'contains', 10), { relations: [], more: false });
  });

  void t.test('when endpoints were registered, and those that were unregistered', async (t) => {
    const { store, reopen } = await open(t);
    const ids = Array.from({ length: 7 }, (_, i) => idOf(i));
    await written(
      t,
      store,
      ids.map((id, i) => register({ id, createdMs: START_MS + i })),
    );
    await written(t, store, [update({ id: ids[0]!, revision: 2, createdMs: START_MS })]);
    const gone = ids.slice(2);
    await written(
      t,
      store,
      gone.map((id, i) => unregister({ id, revision: 2, createdMs: START_MS + 2 + i })),
    );
    t.same(await store.registered([ids[2]!, ids[1]!, 'nobody', ids[0]!, ids[1]!]), [
      undefined,
      START_MS + 1,
      undefined,
      START_MS,
      START_MS + 1,
    ]);
    t.same(await store.registered([]), []);
    await written(t, store, [
      register({ id: ids[6]!, revision: 3 }, { expected: { revision: 2, filterSet: 0 } }),
    ]);
    const again = await reopen();
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await again.scanTombstones(2, after);
      found.push(...page.records.map((record) => headOf(record).endpointId));
      after = page.next;
    } while (after !== undefined);
    t.same(found.sort(), gone.slice(0, 4).sort(), 'one came back');
  });
}
