import t from 'tap';
import { createTurns } from '../../src/register/turns.js';

/** Whether a promise is settled once all that is ready has run. */
async function settled(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await new Promise(setImmediate);
  return done;
}

void t.test('as many batches begin as there are threads; the rest wait in order', async (t) => {
  const turns = createTurns(2);
  const [a, b, c, d] = [[1], [2], [3], [4]];
  const takes = [a, b, c, d].map((queue) => turns.take(queue));
  t.same(await Promise.all(takes.map(settled)), [true, true, false, false]);
  turns.end();
  t.same(await Promise.all(takes.map(settled)), [true, true, true, false]);
  const again = turns.take(a);
  turns.end();
  t.same(await Promise.all([...takes, again].map(settled)), [true, true, true, true, false]);
});

void t.test('a long queue does not wait, also when it grows while it waits', async (t) => {
  const turns = createTurns(1);
  t.ok(await settled(turns.take([1])));
  t.ok(await settled(turns.take(Array.from({ length: 1000 }))));
  const queue: number[] = [1];
  const take = turns.take(queue);
  t.notOk(await settled(take));
  while (queue.length < 1000) queue.push(queue.length);
  turns.grown(queue);
  t.ok(await settled(take));
  for (let i = 0; i < 3; i++) turns.end();
  t.ok(await settled(turns.take([1])), 'all turns came back');
});
