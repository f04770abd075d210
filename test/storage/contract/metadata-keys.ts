import type { Test } from 'tap';
import type { MetadataDiff } from '../../../src/model/diff.js';
import type { Store } from '../../../src/storage/port.js';
import { idOf, kindsOf, move, register, unregister, update, written, type OpenStore } from './building.js';

const keys = (change: Partial<MetadataDiff>): MetadataDiff => ({
  added: [],
  updated: [],
  removed: [],
  ...change,
});

const shown = async (store: Store, application = 'app') =>
  Object.fromEntries(await store.metadataKeys(application));

/** Which metadata keys the records of an application have. */
export function metadataKeyContract(t: Test, open: OpenStore): void {
  void t.test('keys come and go with records, updates and versions', async (t) => {
    const { store, reopen } = await open(t);
    t.same(await shown(store), {});
    await written(t, store, [
      register({ id: idOf(1), version: 'v1', metadata: { city: 'Kyiv', b: 1 } }),
      register({ id: idOf(2), version: 'v1', metadata: { b: 2 } }),
      register({ id: idOf(3), version: 'v2' }),
      register({ id: idOf(4), application: 'app-2', version: 'w1', metadata: { other: 1 } }),
    ]);
    t.same(await shown(store), { v1: ['b', 'city'] });
    await written(t, store, [
      update(
        { id: idOf(1), version: 'v1', revision: 2, metadata: { b: 1, a: 0 } },
        { keys: keys({ added: ['a'], removed: ['city'] }) },
      ),
      update(
        { id: idOf(2), version: 'v1', revision: 2, metadata: { b: 3 } },
        { keys: keys({ updated: ['b'] }) },
      ),
    ]);
    t.same(await shown(store), { v1: ['a', 'b'] });
    const refused = update(
      { id: idOf(1), version: 'v1', revision: 2, metadata: {} },
      { keys: keys({ removed: ['a', 'b'] }) },
    );
    t.same(kindsOf(await store.commit([refused])), ['conflict']);
    t.same(await shown(store), { v1: ['a', 'b'] }, 'what is not written does not count');
    await written(t, store, [move({ id: idOf(1), version: 'v2', revision: 3, metadata: { b: 1, c: 0 } })]);
    t.same(await shown(store), { v1: ['b'], v2: ['b', 'c'] }, 'a move takes its keys along');
    const again = await reopen();
    t.same(await shown(again), { v1: ['b'], v2: ['b', 'c'] });
    await written(t, again, [unregister({ id: idOf(2), version: 'v1', revision: 3 })]);
    t.same(await shown(again), { v2: ['b', 'c'] });
    t.same(await shown(again, 'app-2'), { w1: ['other'] });
    t.same([await shown(again, 'nobody'), await shown(again, '')], [{}, {}]);
    await written(t, again, [
      register(
        { id: idOf(2), version: 'v1', revision: 4, metadata: { back: 1 } },
        { expected: { revision: 3, filterSet: 0 } },
      ),
    ]);
    t.same(await shown(again), { v1: ['back'], v2: ['b', 'c'] });
  });

  void t.test('any key: long ones, and ones that are no names', async (t) => {
    const { store, reopen } = await open(t);
    const long = 'k'.repeat(5000);
    const odd = ['__proto__', 'a b', 'constructor', 'with\nbreak', 'Київ', '😀', '#', long, `${long}2`];
    const metadata = Object.fromEntries(odd.map((key) => [key, 1]));
    await written(t, store, [register({ id: idOf(1), metadata })]);
    t.same(await shown(await reopen()), { 'app-v1': [...odd].sort() });
  });
}
