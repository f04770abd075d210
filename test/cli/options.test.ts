import { InvalidArgumentError } from 'commander';
import t from 'tap';
import { parseDuration, parseSince } from '../../src/cli/options.js';

void t.test('durations, days included', (t) => {
  const of = (text: string) => parseDuration(text);
  t.same(
    ['500ms', '1.5s', '5m', '1h', '2d', '0.5d'].map(of),
    [500, 1500, 300_000, 3_600_000, 172_800_000, 43_200_000],
  );
  for (const text of ['', '60', '1w', '1D', 'd', '1 d', '-1d', '1d2h', '1e3s'])
    t.throws(() => of(text), InvalidArgumentError, text);
  t.end();
});

void t.test('since: a time, or an age', (t) => {
  const beforeMs = Date.now();
  const ms = parseSince('1d');
  t.ok(ms >= beforeMs - 86_400_000 && ms <= Date.now() - 86_400_000);
  t.equal(parseSince('2026-11-22T10:00:00+01:00'), Date.UTC(2026, 10, 22, 9));
  t.equal(parseSince('999999999d'), 0, 'of all time, not of before it');
  for (const text of ['yesterday', '2026-11-22', '2999-01-01T00:00:00Z', '1', '0h', '0.0d'])
    t.throws(() => parseSince(text), InvalidArgumentError, text);
  t.end();
});
