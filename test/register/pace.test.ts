import t from 'tap';
import { createPace, type PaceClock } from '../../src/register/pace.js';
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

/** Time that passes by what steps and rests take. */
function clockOf(tookMs: (size: number) => number): {
  clock: PaceClock;
  work: (size: number) => Promise<number>;
} {
  let nowMs = 0;
  return {
    clock: {
      nowMs: () => nowMs,
      rest: (ms) => {
        nowMs += ms;
        return Promise.resolve(0);
      },
    },
    work: (size) => {
      nowMs += tookMs(size);
      return Promise.resolve(size);
    },
  };
}

/** Sizes of so many steps, when a step takes so long. */
async function sizesOf(
  steps: number,
  tookMs: (size: number, step: number) => number,
  load = 0,
): Promise<number[]> {
  const sizes: number[] = [];
  const { clock, work } = clockOf((size) => tookMs(size, sizes.length));
  const pace = createPace(() => load, new AbortController().signal, clock);
  while (sizes.length < steps) sizes.push(await pace.step(work));
  return sizes;
}

const meanOf = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0) / sizes.length;

for (const waitMs of [1, 12, 60, 300, 2000])
  for (const load of [0, 3])
    void t.test(
      `a step is not small because it waits: ${waitMs} ms for a disk${load > 0 ? ', and others wait, too' : ''}`,
      async (t) => {
        const steady = await sizesOf(60, (size) => waitMs + size * 0.02, load);
        t.ok(meanOf(steady.slice(12)) > 200, steady.join(', '));
        const heldUp = await sizesOf(
          200,
          (size, step) => waitMs + size * 0.02 + (step % 7 === 6 ? 3000 : 0),
          load,
        );
        t.ok(meanOf(heldUp) > 128, `every seventh is held up: ${heldUp.join(', ')}`);
      },
    );

void t.test('a step is small when it is laborious', async (t) => {
  for (const waitMs of [0, 10]) {
    const alone = await sizesOf(40, (size) => waitMs + size);
    t.ok(Math.max(...alone) <= 160, alone.join(', '));
    const among = await sizesOf(40, (size) => waitMs + size, 3);
    t.ok(Math.max(...among.slice(12)) <= 64, `others wait: ${among.join(', ')}`);
  }
});

void t.test('a disk that becomes slow, and quick again', async (t) => {
  const waitOf = (step: number) => (step >= 40 && step < 80 ? 500 : 5);
  const sizes = await sizesOf(160, (size, step) => waitOf(step) + size * 0.1, 3);
  t.ok(Math.max(...sizes.slice(60, 80)) > 512, `slow: ${sizes.slice(40, 80).join(', ')}`);
  t.ok(Math.max(...sizes.slice(140)) < 256, `quick: ${sizes.slice(80).join(', ')}`);
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
  t.equal(speed.perSecond(), undefined, 'not known yet');
  speed.observe(0, 0);
  speed.observe(50, 500);
  t.equal(speed.perSecond(), undefined, 'not known yet');
  for (let i = 1; i <= 20; i++) speed.observe(i * 100, i * 1000);
  t.equal(speed.perSecond(), 100);
  for (let i = 21; i <= 40; i++) speed.observe(2000 + (i - 20) * 10, i * 1000);
  t.equal(speed.perSecond(), 10, 'a load has come');
  for (let i = 41; i <= 60; i++) speed.observe(2200, i * 1000);
  t.equal(speed.perSecond(), undefined, 'nothing moves');
  speed.observe(10, 61_000);
  t.equal(speed.perSecond(), undefined, 'another one has begun');
  t.end();
});
