import { cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import fc from '../fast-check.js';
import t from 'tap';
import { CountingOutbox, open, readFrom, type Seen, seenOf, whats } from './support.js';

/** Whatever is committed while somebody listens, and what a listener of all of it saw. */
async function watched(live: Awaited<ReturnType<typeof open>>['live']): Promise<Seen[]> {
  const seen: Seen[] = [];
  live.subscribe((items) => seen.push(...seenOf(items)));
  return seen;
}

for (const kept of ['in memory', 'in files']) {
  void t.test(`from every cut the rest, ${kept}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 30_000 }),
        async (changes, bytes) => {
          const outbox = new CountingOutbox();
          const folder = kept === 'in files' ? t.testdir() : undefined;
          const { live } = await open(outbox, folder);
          const start = live.now();
          const seen = await watched(live);
          for (const [i, [events, pause]] of changes.entries()) {
            live.committed([outbox.add(`c${i}`, events, bytes)]);
            if (pause) await turn();
          }
          await live.close();
          const whole = whats(seen);
          if (whole.length !== changes.reduce((sum, [events]) => sum + events, 0))
            throw new Error('the listener did not see all');
          const again = kept === 'in files' ? (await open(outbox, folder)).live : live;
          t.same(whats(await readFrom(again, start)), whole);
          for (const [i, { id }] of seen.entries())
            t.same(whats(await readFrom(again, id)), whole.slice(i + 1), `behind ${id}`);
          t.equal(again.replay({ run: 'x', group: 1, events: 0 }).atEnd, false);
          await again.close();
        },
      ),
      { numRuns: 15 },
    );
  });
}

void t.test('a replay goes over into what happens, nothing missed and nothing twice', async (t) => {
  const outbox = new CountingOutbox();
  const { live } = await open(outbox, t.testdir());
  const start = live.now();
  for (let i = 0; i < 300; i++) live.committed([outbox.add(`a${i}`, 1 + (i % 3), 2000)]);
  await live.logged();
  const replay = live.replay({ run: start.split('-')[0]!, group: 1, events: 0 });
  const seen: Seen[] = [];
  for (let i = 0; !replay.atEnd; i++) {
    seen.push(...seenOf(await replay.next()));
    // more comes while it reads
    if (i < 20) live.committed([outbox.add(`b${i}`, 2, 2000)]);
  }
  const end = live.subscribe((items) => seen.push(...seenOf(items)));
  for (let i = 0; i < 5; i++) live.committed([outbox.add(`c${i}`, 1)]);
  await live.close();
  end();
  const expected = outbox.entries.flatMap(({ position }) => {
    const count = seen.filter(({ what }) => what.startsWith(`${position.source}/`)).length;
    return Array.from({ length: count }, (_, i) => `${position.source}/${i}`);
  });
  t.same(whats(seen), expected);
  t.ok(expected.length >= 600 + 5);
});

void t.test('after a stop at any moment the outbox gives what the log lacks', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 200 }),
      async (logged, unlogged, torn) => {
        const [before, after] = [join(t.testdir(), 'before'), join(t.testdir(), `after`)];
        const outbox = new CountingOutbox();
        const first = await open(outbox, before);
        const start = first.live.now();
        for (let i = 0; i < logged; i++) {
          first.live.committed([outbox.add(`l${i}`, 2, 30)]);
          if (i % 7 === 0) await first.live.logged();
        }
        await first.live.logged();
        outbox.clear(logged);
        // what the process leaves that is killed now: half a frame, too
        for (let i = 0; i < unlogged; i++) first.live.committed([outbox.add(`u${i}`, 1)]);
        cpSync(before, after, { recursive: true });
        if (torn > 0) appendToLast(after, Buffer.alloc(torn, 7));
        const second = await open(outbox.copy(), after);
        const expected = [
          ...Array.from({ length: logged }, (_, i) => [`l${i}/0`, `l${i}/1`]).flat(),
          ...Array.from({ length: unlogged }, (_, i) => `u${i}/0`),
        ];
        t.same(whats(await readFrom(second.live, start)), expected);
        t.equal(/was not whole/.test(second.logged.join()), torn > 0);
        await Promise.all([first.live.close(), second.live.close()]);
      },
    ),
    { numRuns: 15 },
  );
});

function lastFile(folder: string): string {
  return join(folder, readdirSync(folder).sort().at(-1)!);
}

function appendToLast(folder: string, bytes: Buffer): void {
  const path = lastFile(folder);
  writeFileSync(path, Buffer.concat([readFileSync(path), bytes]));
}

void t.test(
  'what can not be known is told: the end of the log is gone, and the outbox was cleared',
  async (t) => {
    const folder = t.testdir();
    const outbox = new CountingOutbox();
    const first = await open(outbox, folder);
    const start = first.live.now();
    for (let i = 0; i < 20; i++) {
      first.live.committed([outbox.add(`a${i}`, 1)]);
      await first.live.logged();
    }
    const end = first.live.now();
    await first.live.close();
    outbox.clear(20);
    truncateSync(lastFile(folder), statSync(lastFile(folder)).size - 30);
    const second = await open(outbox, folder);
    t.match(second.logged.join(), /not all known/);
    second.live.committed([outbox.add('b', 1)]);
    await second.live.logged();
    const seen = whats(await readFrom(second.live, start));
    t.same(seen.slice(-3), ['a18/0', 'gap unclean-stop', 'b/0']);
    t.same(whats(await readFrom(second.live, end)), ['gap unknown-id'], 'a place that was lost');
    const now = second.live.now();
    await second.live.close();

    const third = await open(outbox, folder);
    third.live.committed([outbox.add('c', 1)]);
    await third.live.logged();
    t.same(whats(await readFrom(third.live, now)), ['c/0'], 'a gap is told once');
    await third.live.close();
  },
);

void t.test('data that went back, as from a backup or after a power cut', async (t) => {
  const folder = t.testdir();
  const outbox = new CountingOutbox();
  const first = await open(outbox, folder);
  first.live.committed([outbox.add('a', 1)]);
  await first.live.logged();
  const old = outbox.copy();
  first.live.committed([outbox.add('lost', 1)]);
  await first.live.logged();
  const end = first.live.now();
  await first.live.close();
  const second = await open(old, folder);
  second.live.committed([old.add('b', 1)]);
  await second.live.logged();
  t.same(whats(await readFrom(second.live, end)), ['gap unclean-stop', 'b/0']);
  await second.live.close();
  const third = await open(old, folder);
  t.notMatch(third.logged.join(), /not all known/, 'and from then on all is known again');
  await third.live.close();
});

void t.test('a write of which nothing is known is a gap, once', async (t) => {
  const folder = t.testdir();
  const outbox = new CountingOutbox();
  const { live } = await open(outbox, folder);
  const start = live.now();
  const seen = await watched(live);
  live.committed([outbox.add('a', 1)]);
  live.doubt();
  live.doubt();
  await live.logged();
  live.doubt();
  // a number that was given to a write that failed
  outbox.newest++;
  live.committed([outbox.add('b', 1)]);
  await live.logged();
  t.same(whats(seen), ['a/0', 'gap uncertain-write', 'b/0']);
  t.same(whats(await readFrom(live, start)), whats(seen));
  t.same(whats(await readFrom(live, seen[0]!.id)), ['gap uncertain-write', 'b/0']);
  t.same(whats(await readFrom(live, seen[1]!.id)), ['b/0'], 'who was told is not told again');
  await live.close();
  outbox.clear(3);
  const again = await open(outbox, folder);
  t.same(whats(await readFrom(again.live, seen[1]!.id)), ['b/0']);
  t.same(again.logged, []);
  await again.live.close();
});

void t.test('only so much is kept, and not for ever', async (t) => {
  for (const folder of [undefined, t.testdir()]) {
    const outbox = new CountingOutbox();
    const bounds = { bytes: 1024 * 1024, ageMs: 3_600_000 };
    const { live, metrics } = await open(outbox, folder, bounds);
    const start = live.now();
    const seen = await watched(live);
    for (let i = 0; i < 300; i++) {
      live.committed([outbox.add(`a${i}`, 1, 10_000)]);
      await live.logged();
      if (folder === undefined) await turn();
    }
    await live.logged();
    while (seen.length < 300) await turn();
    const bytes = Number(/recent_bytes (\d+)/.exec(await metrics.metrics())![1]);
    t.ok(bytes <= bounds.bytes && bytes > bounds.bytes * 0.85, `${bytes} bytes`);
    t.same(whats(await readFrom(live, start)), ['gap too-old']);
    t.same(whats(await readFrom(live, seen[250]!.id)), whats(seen.slice(251)));
    // a reader that is overtaken
    const slow = live.replay({ run: seen[250]!.id.split('-')[0]!, group: 240, events: 0 });
    await slow.next();
    for (let i = 0; i < 200; i++) {
      live.committed([outbox.add(`b${i}`, 1, 10_000)]);
      await live.logged();
      if (folder === undefined) await turn();
    }
    while (seen.length < 500) await turn();
    const rest: Seen[] = [];
    while (!slow.atEnd) rest.push(...seenOf(await slow.next()));
    t.equal(rest.at(-1)!.what, 'gap too-old');
    await live.close();
  }
});

void t.test('a folder that can not be used', async (t) => {
  const folder = t.testdir({ file: 'x' });
  const outbox = new CountingOutbox();
  const { live, logged } = await open(outbox, join(folder, 'file'));
  t.match(logged.join(), /can't be kept in .*file.*in memory/);
  const start = live.now();
  const seen = await watched(live);
  live.committed([outbox.add('a', 1)]);
  await live.close();
  t.same(whats(seen), ['a/0']);
  t.same(whats(await readFrom(live, start)), ['a/0']);
});

void t.test('files of another version, and damaged ones, are not read', async (t) => {
  const folder = t.testdir();
  const outbox = new CountingOutbox();
  const first = await open(outbox, folder);
  const start = first.live.now();
  first.live.committed([outbox.add('a', 1)]);
  await first.live.close();
  const bytes = readFileSync(lastFile(folder));
  bytes[20]! ^= 1;
  writeFileSync(lastFile(folder), bytes);
  const second = await open(outbox, folder);
  t.same(whats(await readFrom(second.live, start)), ['gap unknown-id']);
  await second.live.close();
});
