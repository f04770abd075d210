import t from 'tap';
import type { SavedFilter } from '../../src/model/filter.js';
import { createFilterIndex } from '../../src/register/filter-index.js';

function filterOf(number: number, change: Partial<SavedFilter> = {}): SavedFilter {
  return {
    id: `id ${number}`,
    tenant: 'kaa',
    application: 'app',
    name: `name ${number}`,
    description: '',
    queryText: '{}',
    status: 'pending',
    number,
    revision: 1,
    createdMs: 0,
    updatedMs: 0,
    retired: [],
    ...change,
  };
}

void t.test('counts, and the oldest that is pending', (t) => {
  const index = createFilterIndex();
  const about = () => [...index.counts().map(({ pending, active }) => [pending, active])];
  t.equal(index.oldestPending('app'), undefined);
  for (const number of [3, 1, 2, 7]) index.put(filterOf(number));
  t.equal(index.oldestPending('app'), 1);
  t.same(about(), [[4, 0]]);
  index.put(filterOf(1, { status: 'active' }));
  t.equal(index.oldestPending('app'), 2);
  t.same(about(), [[3, 1]]);
  index.put(filterOf(2, { name: 'another', revision: 2 }));
  t.equal(index.oldestPending('app'), 2);
  // another query
  index.put(filterOf(8, { id: 'id 2' }));
  t.equal(index.oldestPending('app'), 3);
  index.remove('id 3');
  t.equal(index.oldestPending('app'), 7);
  index.put(filterOf(0, { id: 'set aside' }));
  t.equal(index.oldestPending('app'), 7, 'what is set aside is not among them');
  t.same(about(), [[3, 1]]);
  index.remove('id 7');
  index.remove('id 2');
  t.equal(index.oldestPending('app'), undefined);
  index.put(filterOf(9));
  t.equal(index.oldestPending('app'), 9);
  t.end();
});

void t.test('pages by name, while names come, change and go', (t) => {
  const index = createFilterIndex();
  const about = (offset: number, limit: number, contains?: string) => {
    const { total, filters } = index.page('app', {
      offset,
      limit,
      ...(contains === undefined ? {} : { contains }),
    });
    return [total, ...filters.map(({ name }) => name)];
  };
  t.same(about(0, 10), [0]);
  for (const number of [3, 1, 2, 7]) index.put(filterOf(number));
  t.same(about(0, 10), [4, 'name 1', 'name 2', 'name 3', 'name 7']);
  t.same(about(1, 2), [4, 'name 2', 'name 3']);
  t.same(about(4, 2), [4]);
  index.put(filterOf(1, { name: 'Other', revision: 2 }));
  t.same(about(0, 2), [4, 'Other', 'name 2']);
  t.same(about(0, 10, 'oTHEr'), [1, 'Other']);
  t.same(about(1, 1, 'name'), [3, 'name 3']);
  // another replica gave the name of one that was renamed to another, and that is known first
  index.put(filterOf(8, { name: 'name 2' }));
  index.put(filterOf(2, { name: 'new', revision: 2 }));
  t.same(about(0, 10), [5, 'Other', 'name 2', 'name 3', 'name 7', 'new']);
  t.equal(index.byName('app', 'name 2')?.id, 'id 8');
  for (const number of [1, 2, 3, 7, 8]) index.remove(`id ${number}`);
  t.same([about(0, 10), index.countOf('app')], [[0], 0]);
  t.end();
});

void t.test('what is set aside has a number that is not its own', (t) => {
  const index = createFilterIndex();
  for (const id of ['a', 'b']) index.put(filterOf(0, { id, name: id }));
  t.same([index.pendingOf('app'), index.oldestPending('app'), index.countOf('app')], [[], undefined, 2]);
  index.put(filterOf(5, { id: 'a', name: 'a' }));
  t.same(
    index.pendingOf('app').map(({ id }) => id),
    ['a'],
  );
  index.put(filterOf(5, { id: 'a', name: 'a', status: 'active' }));
  t.same([index.activeIds('app', [0, 5]), index.pendingOf('app')], [['a'], []]);
  index.put(filterOf(0, { id: 'a', name: 'a' }));
  t.same([index.activeIds('app', [0, 5]), index.oldestPending('app')], [[], undefined]);
  t.end();
});
