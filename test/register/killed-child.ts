import type { Test } from 'tap';
import { fill, fleet, createFilter, HOT, startIn } from './support.js';

/** Killed in the middle of a recalculation of `count` endpoints: after some pages it reads no further, and says so. */
const [folder, count, pages] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const t = { teardown: () => undefined, same: () => true } as unknown as Test;
let read = 0;
const running = await startIn(t, folder, {
  wrap: (store) => ({
    ...store,
    scanStale: async (...args) => {
      if (read++ < pages) return store.scanStale(...args);
      process.send!('in the middle');
      return new Promise(() => undefined);
    },
  }),
});
await fill(t, running, fleet(count));
await createFilter(running, 'hot', HOT);
