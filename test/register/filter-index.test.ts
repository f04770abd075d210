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
