import type { Test } from 'tap';
import { headOf, metadataOf } from '../../../src/model/record.js';
import { idOf, idsOf, register, START_MS, unregister, written, type OpenStore } from './building.js';
import { ordered, queryOf, walk } from './lists.js';

/** So many that a keeper reads them in more than one portion. */
const FLEET = Array.from({ length: 1100 }, (_, i) => ({
  id: idOf(i),
  createdMs: START_MS + Math.floor(i / 3),
  application: i % 10 === 0 ? 'plant' : 'app',
  metadata: { n: i },
}));
const NEWEST = { by: 'createdDate', direction: 'desc' } as const;

/** Finding by a test of the caller's. */
export function scanContract(t: Test, open: OpenStore): void {
  void t.test('a test is asked once about each record of the scope, in order, to the end', async (t) => {
    const { store } = await open(t);
    const gone = { id: 'gone', createdMs: START_MS };
    await written(t, store, [...FLEET.map((endpoint) => register(endpoint)), register(gone)]);
    await written(t, store, [unregister({ ...gone, revision: 2 })]);
    const expected = ordered(
      FLEET.filter(({ application }) => application === 'app'),
      NEWEST,
    ).map(({ id }) => id);
    for (const limit of [0, 5]) {
      const asked: string[] = [];
      let taken = 0;
      const page = await store.find(
        queryOf({
          scope: { application: 'app' },
          limit,
          test(record) {
            asked.push(headOf(record).endpointId);
            return (metadataOf(record)['n'] as number) % 2 === 1 && taken++ < limit;
          },
        }),
      );
      t.same(asked, expected, `a page of ${limit}`);
      t.same(
        idsOf(page.records),
        expected.filter((id) => FLEET.findIndex((each) => each.id === id) % 2 === 1).slice(0, limit),
      );
      t.equal(page.total, undefined);
      t.notOk(page.next);
    }
  });

  void t.test('what a test takes is paged and counted as any list', async (t) => {
    const { store } = await open(t);
    await written(
      t,
      store,
      FLEET.map((endpoint) => register(endpoint)),
    );
    const test = (record: Uint8Array) => (metadataOf(record)['n'] as number) % 40 === 7;
    const expected = ordered(
      FLEET.filter((_, i) => i % 40 === 7),
      NEWEST,
    ).map(({ id }) => id);
    const query = queryOf({ scope: { application: 'app' }, test });
    for (const limit of [1, 4, expected.length, 1000])
      t.same(await walk(t, store, { ...query, limit }), expected, `pages of ${limit}`);
    const page = await store.find({ ...query, limit: 3, offset: 2, withTotal: true });
    t.same(idsOf(page.records), expected.slice(2, 5));
    t.equal(page.total, expected.length);
    t.match(await store.find({ ...query, scope: { application: 'nobody' }, withTotal: true }), {
      records: [],
      total: 0,
    });
  });
}
