import t from 'tap';
import { runShort, SHORT } from './short.js';

t.setTimeout(300_000);

void t.test('a few kills of register and broker among writes and changes of filters', (t) =>
  runShort(t, {
    ...SHORT,
    keeper: 'embedded',
    registers: 1,
    leaseMs: 3000,
    kills: 5,
    pauseMs: 800,
    writesBetween: 60,
    filters: 6,
  }),
);
