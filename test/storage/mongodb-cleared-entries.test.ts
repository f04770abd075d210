import t from 'tap';
import { createClearedEntries, IDLE_MS, MAX_ENTRIES } from '../../src/storage/mongodb/cleared-entries.js';

const keysOf = (entries: ReadonlyMap<string, readonly number[]>): string[] => [...entries.keys()];

void t.test('an entry is known until it is removed, whatever comes twice', async (t) => {
  const cleared = createClearedEntries();
  const positions = [3, 5, 4, 5].map((order) => ({ source: 'a', order }));
  cleared.add(positions, 0);
  t.equal(cleared.size, 3);
  t.same(cleared.ordersOf('a'), [3, 5, 4]);
  t.same(cleared.ordersOf('b'), []);
  cleared.removed('a', [5, 9]);
  cleared.removed('b', [5]);
  t.equal(cleared.size, 2);
  t.same(cleared.all(), new Map([['a', [3, 4]]]));
  cleared.removed('a', [3, 4]);
  t.equal(cleared.size, 0);
  t.same(cleared.all(), new Map());
});

void t.test('overdue is what is idle, many of one source, or large', async (t) => {
  const cleared = createClearedEntries();
  cleared.add([{ source: 'idle', order: 1 }], 0);
  cleared.add([{ source: 'busy', order: 1 }], 100);
  cleared.wrote('large', 100_000);
  cleared.wrote('small', 1_000);
  cleared.add([{ source: 'large', order: 1 }], 100);
  cleared.add([{ source: 'small', order: 1 }], 100);
  for (let order = 1; order <= 16; order++) cleared.add([{ source: 'many', order }], 100);
  t.same(keysOf(cleared.overdue(200)), ['large', 'many']);
  t.same(keysOf(cleared.overdue(IDLE_MS)), ['idle', 'large', 'many']);
  t.same(keysOf(cleared.overdue(IDLE_MS + 100)), ['idle', 'busy', 'large', 'small', 'many']);
  cleared.removed('large', [1]);
  cleared.add([{ source: 'large', order: 2 }], 100);
  t.same(keysOf(cleared.overdue(200)), ['many'], 'the next entry of it was small');
});

void t.test('of too many, the oldest are overdue; a write takes out some of a source', async (t) => {
  const cleared = createClearedEntries();
  for (let i = 0; i < MAX_ENTRIES + 7; i++) cleared.add([{ source: `s${i}`, order: 1 }], 0);
  t.same(keysOf(cleared.overdue(1)), ['s0', 's1', 's2', 's3', 's4', 's5', 's6']);
  const many = createClearedEntries();
  for (let order = 1; order <= 1_000; order++) many.add([{ source: 'a', order }], 0);
  t.equal(many.ordersOf('a').length, 16);
});

void t.test(
  'a reading shows nothing that was cleared at its beginning, though it was removed meanwhile',
  async (t) => {
    const cleared = createClearedEntries();
    cleared.add([{ source: 'a', order: 1 }], 0);
    const [reading, later] = [cleared.hide(), cleared.hide()];
    cleared.removed('a', [1]);
    cleared.add([{ source: 'a', order: 2 }], 0);
    t.same(
      [1, 2, 3].map((order) => reading.hides('a', order)),
      [true, true, false],
    );
    reading.end();
    t.ok(later.hides('a', 1));
    later.end();
    t.notOk(cleared.hide().hides('a', 1), 'and is forgotten after it');
  },
);
