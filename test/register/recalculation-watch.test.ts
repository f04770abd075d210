import { pino } from 'pino';
import t from 'tap';
import { createWatch } from '../../src/register/recalculation-watch.js';

void t.test('a recalculation that does not get on is told of, with what it waits for', async (t) => {
  const lines: { level: number; msg: string; remedy?: string; waitsFor?: object; seconds: number }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as (typeof lines)[0]) });
  let nowMs = 1000;
  const watch = createWatch('app', log, () => nowMs);
  let end = () => {};
  const waits = [
    watch.during('writes to the storage', new Promise<void>((resolve) => (end = resolve))),
    watch.during('writes to the storage', Promise.resolve()),
    watch.during('worker threads', Promise.reject(new Error('died'))).catch(() => undefined),
  ];
  await Promise.all(waits.slice(1));
  const after = (seconds: number) => {
    nowMs += seconds * 1000;
    watch.look();
  };
  after(9);
  t.same(lines, [], 'not yet');
  after(1);
  after(1);
  after(58);
  t.match(lines, [
    { level: pino.levels.values['warn'], seconds: 10, waitsFor: { 'writes to the storage': 1 } },
  ]);
  t.match(lines[0]!.msg, 'does not get on: it waits for writes to the storage');
  t.match(lines[0]!.remedy, 'Look at the storage');
  after(1);
  t.equal(lines.length, 2, 'again after a minute');
  t.equal(watch.idleMs, 70_000);
  end();
  await waits[0];
  watch.gotOn();
  t.match(lines[2], { msg: 'the recalculation goes on', seconds: 70 });
  t.equal(watch.idleMs, 0);
  after(10);
  t.match(lines[3]!.msg, 'waits for its turn');
});
