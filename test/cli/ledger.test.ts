import t from 'tap';
import { createLedger, NO_COUNTS, type Entry, type Failure } from '../../src/cli/import/ledger.js';

const line = (number: number) => ({ number, bytes: Buffer.from(`line ${number}`), tooLong: false });

void t.test(
  'counts and failures move on in the order of the lines, whatever the order of the answers',
  async (t) => {
    const failures: Failure[] = [];
    const ledger = createLedger({ line: 10, counts: { ...NO_COUNTS, updated: 10 } }, (failure) =>
      failures.push(failure),
    );
    const entries = [11, 12, 13].map((number) => ledger.open(line(number))) as [Entry, Entry, Entry];
    entries[2].settle({ kind: 'failed', status: 404, code: 'endpoint-not-found', message: 'none' });
    entries[1].settle({ kind: 'updated' });
    t.equal(ledger.doneLine(), 10);
    t.equal(ledger.counts().failed, 0, 'not counted while a line before it is open');
    t.same(failures, []);
    entries[0].settle({ kind: 'updated' });
    t.equal(ledger.doneLine(), 13);
    t.match(ledger.counts(), { updated: 12, failed: 1 });
    t.same(failures, [
      { line: 13, input: 'line 13', status: 404, code: 'endpoint-not-found', message: 'none' },
    ]);
    t.equal(ledger.openLines(), 0);
  },
);

void t.test('a line is settled once', async (t) => {
  const ledger = createLedger({ line: 0, counts: NO_COUNTS }, () => undefined);
  const entry = ledger.open(line(1));
  entry.settle({ kind: 'registered' });
  entry.settle({ kind: 'failed', code: 'x', message: 'x' });
  t.match(ledger.counts(), { registered: 1, failed: 0 });
});

void t.test('a hundred thousand lines, settled in a random order, are all counted', async (t) => {
  const ledger = createLedger({ line: 0, counts: NO_COUNTS }, () => undefined);
  const open: Entry[] = [];
  for (let number = 1; number <= 100_000; number++) {
    open.push(ledger.open(line(number)));
    if (open.length > 500)
      open.splice(Math.floor(Math.random() * open.length), 1)[0]!.settle({ kind: 'updated' });
  }
  for (const entry of open) entry.settle({ kind: 'updated' });
  t.equal(ledger.counts().updated, 100_000);
  t.equal(ledger.doneLine(), 100_000);
});
