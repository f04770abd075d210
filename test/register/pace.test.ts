import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createPace } from '../../src/register/pace.js';
import { createSpeed } from '../../src/register/recalculation-speed.js';

void t.test('steps grow to what may be done at once, one at a time', async (t) => {
  const pace = createPace(() => 0, new AbortController().signal);
  let running = 0;
  const sizes: number[] = [];
  const step = (size: number) => {
    t.equal(++running, 1);
    sizes.push(size);
    return Promise.resolve().then(() => running--);
  };
  await Promise.all(Array.from({ length: 12 }, () => pace.step(step)));
  t.equal(sizes.length, 12);
  for (const [i, size] of sizes.entries())
    t.ok(size >= 32 && size <= 2048 && size <= 2 * (sizes[i - 1] ?? 64), `${size}`);
});

void t.test('steps that wait for a slow disk grow all the same, laborious ones do not', async (t) => {
  const slow = createPace(() => 0, new AbortController().signal);
  const flush = async (size: number) => {
    await sleep(60);
    return size;
  };
  while ((await slow.step(flush)) < 1024);
  t.pass('though each takes longer than a step should');

  const laborious = createPace(() => 0, new AbortController().signal);
  const sizes: number[] = [];
  for (let i = 0; i < 6; i++)
    await laborious.step((size) => {
      sizes.push(size);
      return sleep(size);
    });
  t.ok(Math.max(...sizes) <= 260, `${sizes.join(', ')}`);
});

void t.test('a step that fails is told of, and others go on', async (t) => {
  const pace = createPace(() => 0, new AbortController().signal);
  const failed = pace.step(() => Promise.reject(new Error('not now')));
  const next = pace.step((size) => Promise.resolve(size));
  await t.rejects(failed, { message: 'not now' });
  t.ok((await next) > 0);
});

void t.test('the share follows the load, and does not come to nothing', async (t) => {
  let load = 3;
  const pace = createPace(() => load, new AbortController().signal);
  for (let i = 0; i < 10; i++) await pace.step(() => Promise.resolve());
  t.equal(pace.share, 0.1);
  load = 0;
  while (pace.share < 1) await pace.step(() => Promise.resolve());
  t.pass('all is its own again when nothing else is done');
});

void t.test('a stop ends a rest', async (t) => {
  const stop = new AbortController();
  const pace = createPace(() => 1, stop.signal);
  stop.abort();
  t.equal(await pace.step(() => Promise.resolve('done')), 'done');
});

void t.test('speed is that of the last seconds', (t) => {
  const speed = createSpeed();
  t.equal(speed.secondsFor(100), undefined, 'not known yet');
  speed.observe(0, 0);
  speed.observe(50, 500);
  t.equal(speed.secondsFor(100), undefined, 'not known yet');
  for (let i = 1; i <= 20; i++) speed.observe(i * 100, i * 1000);
  t.equal(speed.secondsFor(1000), 10);
  for (let i = 21; i <= 40; i++) speed.observe(2000 + (i - 20) * 10, i * 1000);
  t.equal(speed.secondsFor(1000), 100, 'a load has come');
  for (let i = 41; i <= 60; i++) speed.observe(2200, i * 1000);
  t.equal(speed.secondsFor(1000), undefined, 'nothing moves');
  speed.observe(10, 61_000);
  t.equal(speed.secondsFor(1000), undefined, 'another one has begun');
  t.end();
});
