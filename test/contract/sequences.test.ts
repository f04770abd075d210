import { tryOnKeepers } from './properties.js';
import { beginRun } from './run.js';
import { sequence } from './wishes.js';

tryOnKeepers(
  'sequences',
  'any sequence of requests is answered as the contract says',
  { embedded: 60, mongodb: 30 },
  sequence,
  async (service, wishes) => {
    const run = await beginRun(service);
    try {
      for (const each of wishes) await run.carryOut(each);
      await run.finish();
    } finally {
      run.close();
    }
  },
);
