import t from 'tap';
import { runShort, SHORT } from './short.js';

t.setTimeout(300_000);

void t.test('two replicas on one database', (t) =>
  runShort(t, {
    ...SHORT,
    keeper: 'mongodb',
    registers: 2,
    leaseMs: 2000,
    kills: 2,
    pauseMs: 3000,
    writesBetween: 60,
    filters: 4,
  }),
);
