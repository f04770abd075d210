import t from 'tap';
import { connectivityFaults, eventFaults, storeFaults } from './check-chains.js';
import { createLedger, faultOfStored, faultsOfChain, lastAcknowledged, type Result } from './ledger.js';

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
  const stored = [0, 1, 2, 3, 4, 5, 6].filter((value) => faultOfStored(chain, value) === undefined);
  t.same(stored, [4, 5], 'the last that was acknowledged, or a later one that is not known');

  const late = ledger.chain('key update', 'e1', 'k', true);
  late.results.push(...chain.results);
  t.same(faultsOfChain(late, [1, 4, 2]), [], 'one that is not known comes after others, where that may be');
  t.equal(faultOfStored(late, 2), undefined);
  t.match(faultsOfChain(late, [1, 4, 2, 1]), [/1 came after 4/]);
  t.match(faultsOfChain(late, [1, 4, 2, 4, 2]), [/4 came after 4/, /2 came after 4/], 'once');
  t.match(faultOfStored(late, 1), /4 was acknowledged, 1 is stored/);
});

void t.test('what contradicts the ledger of connectivity is found', async (t) => {
  const ledger = createLedger();
  const chain = ledger.chain('connected', 'e1', 'connectivity_ts');
  const say = (connected: boolean, timestampMs: number, result: Result) => {
    chain.results.push(result);
    chain.reports.push({ connected, timestampMs });
  };
  say(true, 10, 'acknowledged');
  say(false, 12, 'unknown');
  say(true, 14, 'acknowledged');
  say(false, 13, 'refused');
  const versions = { nameOf: (number: number) => `v${number}`, most: 9 };
  const judge = (...told: [connected: boolean, timestampMs: number, version: string][]) => {
    const states = told.map(([connected, timestampMs, version], i) => {
      const metadata = { connected, connectivity_ts: timestampMs };
      return { revision: i + 1, version, metadata, document: {} };
    });
    const history = { states: () => states, last: () => states.at(-1), endpointIds: () => ['e1'] };
    const { version, metadata } = states.at(-1)!;
    const records = new Map([['e1', { endpointId: 'e1', appVersion: { name: version }, metadata }]]);
    return [
      ...storeFaults(ledger, records, versions),
      ...eventFaults(ledger, history, versions),
      ...connectivityFaults(ledger, history, records),
    ].join('\n');
  };
  t.equal(judge([true, 10, 'v1'], [true, 14, 'v3']), '');
  t.equal(judge([true, 10, 'v1'], [false, 12, 'v1'], [true, 14, 'v3']), '');
  t.match(judge([true, 10, 'v1']), /3 was acknowledged, 1 is stored/);
  t.match(judge([true, 10, 'v1'], [true, 14, 'v1']), /version .*: 3 was acknowledged, 1 is stored/);
  t.match(judge([true, 10, 'v1'], [true, 14, 'v3'], [false, 12, 'v3']), /2 came after 3/);
  t.match(judge([true, 10, 'v1'], [true, 14, 'v3'], [false, 13, 'v3']), /4 was refused, and happened/);
  t.match(judge([true, 10, 'v1'], [false, 12, 'v2'], [true, 14, 'v3']), /version .*: 2 was refused/);
  t.match(judge([true, 10, 'v1'], [false, 14, 'v3']), /connected is false with 14/);
  t.match(judge([true, 10, 'v1'], [true, 14, 'v3'], [true, 99, 'v3']), /-1 was never sent/);
  t.same(Object.fromEntries(ledger.counts('acknowledged')), { connected: 2 });
  t.same(Object.fromEntries(ledger.counts('refused')), { disconnected: 1 });
});
