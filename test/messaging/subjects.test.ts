import t from 'tap';
import { covers } from '../../src/messaging/subjects.js';

void t.test('patterns and what they take in', (t) => {
  const rows: [pattern: string, subject: string, expected: boolean][] = [
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.b', 'a.b.c', false],
    ['a.*', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.*.c', 'a.b.c', true],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['>', 'a.b', true],
    ['a.>', 'a.>', true],
    ['>', 'a.>', true],
    ['a.b.>', 'a.>', false],
    ['a.*', 'a.>', false],
  ];
  for (const [pattern, subject, expected] of rows)
    t.equal(covers(pattern, subject), expected, `${pattern} / ${subject}`);
  t.end();
});
