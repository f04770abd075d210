import { readdirSync } from 'node:fs';
import { CountingOutbox, open, readFrom, whats } from './support.js';

/** Run where no file may grow beyond some KiB: commits more than that, and prints what came of it. */
const folder = process.argv[2]!;
const outbox = new CountingOutbox();
const { live, logged, metrics } = await open(outbox, folder);
const start = live.now();
const seen: string[] = [];
live.subscribe((items) => seen.push(...items.map(({ kind }) => kind)));
for (let i = 0; i < 100; i++) {
  live.committed([outbox.add(`a${i}`, 1, 1000)]);
  await live.logged();
}
await live.close();
console.log(
  JSON.stringify({
    seen: seen.length,
    kept: whats(await readFrom(live, start)),
    files: readdirSync(folder).length,
    logged,
    failures: /log_failures_total (\d+)/.exec(await metrics.metrics())![1],
  }),
);
