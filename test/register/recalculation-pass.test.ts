import fc from '../fast-check.js';
import t from 'tap';
import { createPass, type Round } from '../../src/register/recalculation-pass.js';

const step = (after?: string, oldest = Infinity, evaluated = 10) => ({
  evaluated,
  oldest,
  ...(after === undefined ? {} : { after }),
});
const ended = (rounds: readonly Round[]) => rounds.filter(({ isDone }) => isDone).map(({ target }) => target);

void t.test('a round ends where it began', (t) => {
  const pass = createPass(true);
  pass.begin(1);
  pass.passed(step('d', 0));
  pass.begin(2);
  t.equal(pass.target, 2);
  pass.passed(step('m', 0));
  t.same(ended(pass.rounds), []);
  pass.passed(step(undefined, 0));
  t.same(ended(pass.rounds), [1], 'the walk is at the end');
  pass.end();
  pass.passed(step('c', 0));
  t.same(ended(pass.rounds), []);
  pass.passed(step('e', 0));
  t.same(ended(pass.rounds), [2]);
  t.match(pass.rounds, [{ evaluated: 30 }], 'what the last step went beyond is not counted');
  pass.end();
  t.equal(pass.target, 0);
  t.end();
});

void t.test('where it began may be gone, and all the rest, too', (t) => {
  const pass = createPass(true);
  pass.begin(1);
  pass.passed(step('d'));
  pass.begin(2);
  pass.passed(step());
  pass.passed(step());
  t.same(ended(pass.rounds), [1, 2]);
  t.end();
});

void t.test('where others write, a round ends when a whole one found nothing old', (t) => {
  const pass = createPass(false);
  pass.begin(5);
  pass.passed(step('d', 4));
  pass.begin(9);
  pass.passed(step(undefined, 5));
  t.same(ended(pass.rounds), [], 'old ones were found, and evaluated');
  pass.passed(step('e', Infinity));
  t.same(ended(pass.rounds), [], 'the second found one of version 5');
  pass.passed(step(undefined, Infinity));
  t.same(ended(pass.rounds), [5]);
  pass.passed(step('f', Infinity));
  t.same(ended(pass.rounds), [5, 9]);
  t.end();
});

void t.test('rounds are bounded, however many filters come one by one', (t) => {
  const pass = createPass(true);
  let target = 0;
  for (let i = 1; i <= 10_000; i++) {
    if (pass.mayBegin(10_000)) pass.begin(++target);
    pass.passed(step(i === 10_000 ? undefined : String(i).padStart(5, '0'), 0, 1));
  }
  t.ok(pass.rounds.length <= 1024 && pass.rounds.length > 500, `${pass.rounds.length} rounds`);
  t.end();
});

void t.test('each record is evaluated against each filter, whatever comes when, also after restarts', (t) => {
  const ids = Array.from({ length: 40 }, (_, i) => `e${String(i).padStart(2, '0')}`);
  const turn = fc.record({
    size: fc.integer({ min: 1, max: 15 }),
    begins: fc.boolean(),
    restarts: fc.boolean(),
    removed: fc.option(fc.nat(39), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
      const live = new Set(ids);
      const seen = new Map<number, Set<string>>();
      let pass = createPass(true);
      let newest = 0;
      const go = (size: number) => {
        const rest = [...live].filter((id) => pass.after === undefined || id > pass.after);
        const taken = rest.slice(0, size);
        for (const of of seen.values()) for (const id of taken) of.add(id);
        pass.passed(step(rest.length > size ? taken.at(-1) : undefined, 0, taken.length));
        while (pass.rounds[0]?.isDone === true) {
          const { target } = pass.rounds[0];
          for (const id of live) if (!seen.get(target)!.has(id)) throw new Error(`${id} missed ${target}`);
          pass.end();
        }
      };
      for (const { size, begins, restarts, removed } of turns) {
        if (begins && pass.mayBegin(live.size)) {
          pass.begin(++newest);
          seen.set(newest, new Set());
        }
        if (removed !== undefined) live.delete(ids[removed]!);
        go(size);
        if (restarts) pass = createPass(true, pass.stored());
      }
      for (let i = 0; i < 3; i++) go(100);
      if (pass.rounds.length > 0) throw new Error('some round never ends');
    }),
    { numRuns: 300 },
  );
  t.end();
});
