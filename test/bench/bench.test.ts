import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import type { ContestResult } from '../../bench/contest.js';
import { checkChanges } from '../../bench/contests/put-contestant.js';
import { changeOf, readFleet, temperatureText, walkOf } from '../../bench/fleet.js';
import { withoutFolders } from '../../bench/report/machine.js';
import { median, percentile } from '../../bench/statistics.js';
import { startNats } from '../servers/index.js';

void t.test('a stored temperature tells which change it was, and each change is another value', async (t) => {
  for (const base of [-40, -0.04, 0, 12.3, 45]) {
    const values = new Set<number>();
    for (const change of [1, 2, 9, 10, 999, 1000, 123_456, 999_999]) {
      const value = JSON.parse(temperatureText(base, 7, change)) as number;
      t.equal(changeOf(value), change, `${value}`);
      t.ok(Math.abs(value - base) < 6.2, 'about as warm as it was');
      values.add(value);
    }
    t.equal(values.size, 8);
  }
  t.equal(changeOf(21.5), 0, 'what a station reported is none of ours');
  t.equal(changeOf(undefined), 0);
});

void t.test('a walk passes each endpoint once', async (t) => {
  for (const count of [1, 2, 3, 6, 100, 4_909]) {
    t.equal(new Set(walkOf(count)).size, count);
  }
});

void t.test('an acknowledged write that is missing is found', async (t) => {
  const fleet = readFleet(3);
  const changes = { sent: Uint32Array.of(4, 3, 0), acknowledged: Uint32Array.of(4, 2, 0) };
  const stored = (first: number, second: number) =>
    new Map([
      [fleet[0]!.endpointId, Number(temperatureText(10, 0, first))],
      [fleet[1]!.endpointId, Number(temperatureText(10, 1, second))],
    ]);
  t.equal(checkChanges('x', fleet, changes, stored(4, 2)), 2);
  t.equal(checkChanges('x', fleet, changes, stored(4, 3)), 2, 'one that was on the way may be there');
  t.throws(
    () => checkChanges('x', fleet, changes, stored(3, 2)),
    /change 4 .* was acknowledged.* change 3 is stored/,
  );
  t.throws(
    () => checkChanges('x', fleet, changes, stored(4, 4)),
    /change 4 is stored/,
    'one that nobody sent',
  );
  t.throws(() => checkChanges('x', fleet, changes, new Map()), /change 0 is stored/);
});

void t.test('medians and percentiles', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.equal(percentile(Float64Array.of(1, 2, 3, 4), 0.5), 2);
  t.equal(percentile(Float64Array.of(1, 2, 3, 4), 0.99), 4);
});

void t.test('the command that is kept names no folder of the machine', async (t) => {
  const args = [
    '--results',
    '/a/b',
    '--only=puts',
    '--profile=/c',
    '--rounds',
    '2',
    '--data',
    '/d',
    '--seconds=1',
  ];
  t.same(withoutFolders(args), ['--only=puts', '--rounds', '2', '--seconds=1']);
});

void t.test('the bench runs, checks what is stored, and writes table, plot and figures', async (t) => {
  // Only to be skipped where there is none; the bench starts its own.
  if ((await startNats(t)) === undefined) return;
  const folder = t.testdir();
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
  const small = ['--seconds=1', '--warm-up=1', '--rounds=1', '--endpoints=150', '--messages=300'];
  const args = [
    main,
    '--only=puts,gets,connected,batches,ndjson,readings,relay',
    ...small,
    `--results=${folder}`,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.match(stdout, /this service: +\d+% of bare uWebSockets\.js/);

  const { results } = JSON.parse(await readFile(join(folder, 'bench.json'), 'utf8')) as {
    results: ContestResult[];
  };
  t.strictSame(
    results.map(({ id, standings }) => [id, standings.map(({ own }) => own)]),
    [
      ['puts', [false, false, true]],
      ['gets', [false, false, true]],
      ['connected', [false, true]],
      ['batches', [false, true]],
      ['ndjson', [false, true, true]],
      ['readings', [false, true, true]],
      ['relay', [true, false, false]],
    ],
  );
  for (const { standings } of results) {
    for (const { name, ratePerSecond, samples, checked } of standings) {
      t.ok(ratePerSecond > 0 && samples.length === 1, name);
      t.match(checked, /after SIGKILL|nothing pending|are what was stored/);
    }
    const others = standings.filter(({ own }) => !own).length;
    t.equal(standings.filter(({ own }) => own).at(-1)!.ratios.length, others, 'beside each of the others');
  }
  const table = await readFile(join(folder, 'bench.md'), 'utf8');
  t.equal(table.match(/^\| \*\*this service\*\* \|/gm)?.length, 7);
  const plot = await readFile(join(folder, 'bench.svg'), 'utf8');
  t.match(plot, /^<svg [^>]*viewBox/);
  t.equal(plot.match(/<rect /g)?.length, 1 + 19, 'the paper, and a bar each');
  t.notMatch(plot, /NaN|undefined/);
});

void t.test('a flag that is wrong is told, with what is right', async (t) => {
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
  const run = (...args: string[]) => promisify(execFile)(process.execPath, [main, ...args]);
  await t.rejects(run('--only=pust'), {
    code: 1,
    stderr:
      /no contest "pust"[^]*puts, mongo, gets, connected, connected-same, connected-many, connected-many-same, batches, ndjson, readings/,
  });
  await t.rejects(run('--seconds=0'), { code: 1, stderr: /--seconds is a whole number from 1, not "0"/ });
});
