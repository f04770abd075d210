import t from 'tap';
import { createLedger, faultsOfChain, lastAcknowledged } from './ledger.js';

void t.test('what contradicts the ledger is found', async (t) => {
  const ledger = createLedger();
  const chain = ledger.chain('PUT', 'e1', 'k');
  chain.results.push('acknowledged', 'unknown', 'refused', 'acknowledged', 'unknown');
  const faults = (...values: number[]) => faultsOfChain(chain, values);
  t.equal(lastAcknowledged(chain), 4);
  for (const values of [
    [1, 4],
    [1, 2, 4],
    [1, 4, 5],
    [1, 2, 4, 5],
  ])
    t.same(faults(...values), [], `${values.join()}: what is not known may have happened or not`);
  t.match(faults(1, 2), [/4 was acknowledged, and never happened/]);
  t.match(faults(4), [/1 was acknowledged, and never happened/], 'though a later one took its place');
  t.match(faults(1, 3, 4), [/3 was refused, and happened/]);
  t.match(faults(1, 4, 2), [/2 came after 4/]);
  t.match(faults(1, 4, 4), [/4 came after 4/]);
  t.match(faults(1, 4, 6), [/6 was never sent/]);
  t.same([...ledger.counts('acknowledged')], [['PUT', 2]]);
});
