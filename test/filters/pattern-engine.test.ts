import fc from '../fast-check.js';
import t from 'tap';
import { createAutomaton, type Automaton } from '../../src/filters/pattern/automaton.js';
import { createEngineStore } from '../../src/filters/pattern/engine-store.js';
import { LazyDfa } from '../../src/filters/pattern/lazy-dfa.js';
import { parsePattern } from '../../src/filters/pattern/parse-pattern.js';
import { sizeOf } from '../../src/filters/pattern/pattern-size.js';
import { positionsOf } from '../../src/filters/pattern/positions.js';
import { compilePattern } from '../../src/filters/pattern/pattern.js';
import { javascriptTest, patternPair, text } from './random-patterns.js';

function automatonOf(source: string, letters = ''): Automaton {
  const options = {
    ignoresCase: letters.includes('i'),
    multiline: letters.includes('m'),
    dotAll: letters.includes('s'),
    extended: letters.includes('x'),
  };
  return createAutomaton(positionsOf(parsePattern(source, options)));
}

/** As good as random, the same each time. */
function noise(length: number, letters: string): string {
  let seed = 1;
  let found = '';
  for (let i = 0; i < length; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    found += letters[(seed >> 8) % letters.length];
  }
  return found;
}

void t.test(
  'with room for few states, texts go on without keeping any, and the answers are the same',
  async (t) => {
    let matched = 0;
    const cases = fc.boolean().chain((multiline) =>
      fc.record({
        multiline: fc.constant(multiline),
        pair: patternPair({ ignoresCase: false, multiline }),
        mostStates: fc.integer({ min: 2, max: 4 }),
        texts: fc.array(text, { minLength: 6, maxLength: 6 }),
      }),
    );
    const agrees = fc.property(cases, ({ multiline, pair, mostStates, texts }) => {
      const engine = new LazyDfa(automatonOf(pair.pcre, multiline ? 'm' : ''), mostStates);
      const judge = javascriptTest(pair);
      for (const each of texts) {
        const answer = engine.test(each);
        if (answer) matched++;
        if (answer !== judge(each)) throw new Error(`not ${answer}: ${JSON.stringify(each)}`);
      }
    });
    fc.assert(agrees, { numRuns: 600 });
    t.ok(matched > 300, `${matched} matched`);
  },
);

void t.test('states are dropped and found again over long texts', async (t) => {
  const source = '[ab]*a[ab]{9}[cy]';
  const engine = new LazyDfa(automatonOf(source), 100);
  const judge = new RegExp('a[ab]{9}[cy]');
  for (let i = 0; i < 40; i++) {
    const text =
      noise(2000 + i, 'ab') +
      (i % 2 === 0 ? 'b'.repeat(i % 7) : 'a') +
      noise(9, 'ab') +
      'cd'[i % 3 === 0 ? 0 : 1];
    t.equal(engine.test(text), judge.test(text), `text ${i}`);
  }
});

/** Patterns that are accepted, with a text each that makes the most of them. */
const DEMANDING: [string, string][] = [
  ['a{1000}[by]', 'a'],
  ['[ab]{1000}[cy]', 'ab'],
  ['(a|b)*a(a|b){12}[cy]', 'ab'],
  ['[ab]*a[ab]{500}[cy]', 'ab'],
  ['(?:[ab]{1,50}){1,50}[cy]', 'ab'],
  ['(?:[ab]a|[ab]b|[a-c ]y){300}q', 'aby'],
  ['(?:a?){1000}[cy]', 'ab'],
  ['(?:a?b?){400}[cy]', 'ab'],
  ['(x+x+)+[yz]', 'x'],
  ['(?:\\b[ab]|\\B.){100}z', 'ab '],
  ['.*x.*y.*z[0-9]', 'xyz'],
  ['(.*){1,30}[cy]', 'ab'],
];

void t.test('a character costs one step at most, each of a cost that is known before', async (t) => {
  for (const [source, letters] of DEMANDING) {
    const automaton = automatonOf(source);
    let steps = 0;
    const counting: Automaton = {
      ...automaton,
      step: (...given) => {
        steps++;
        return automaton.step(...given);
      },
    };
    const engine = new LazyDfa(counting);
    const text = noise(20_000, letters);
    for (let i = 0; i < 3; i++) {
      steps = 0;
      t.notOk(engine.test(text), source);
      t.ok(steps <= text.length + 1, `${source}: ${steps} steps`);
    }
    t.ok(engine.size < automaton.size + 700_000, `${source}: ${engine.size} bytes`);
    const result = compilePattern(source, '');
    t.ok(result.ok && result.stepCost >= automaton.stepCost, `${source}: told before`);
    t.ok(automaton.stepCost <= 1024, `${source}: ${automaton.stepCost}`);
  }
});

void t.test('a state that was met costs no step', async (t) => {
  let steps = 0;
  const automaton = automatonOf('\\b(?:storm|gale)\\w*-[a-z]{2,8}$');
  const engine = new LazyDfa({
    ...automaton,
    step: (...given) => {
      steps++;
      return automaton.step(...given);
    },
  });
  const text = 'a gale, and then a storm of some gale-force '.repeat(100);
  t.notOk(engine.test(text));
  t.ok(steps < 200, `${steps} steps for ${text.length} characters`);
  steps = 0;
  t.notOk(engine.test(text));
  t.equal(steps, 0);
});

void t.test('what a pattern of 1 KiB costs is known, or it is refused, before anything grows', async (t) => {
  const item = fc.constantFrom(
    'a',
    '[ab]',
    '.',
    '\\b',
    '^',
    '\\w',
    'é',
    '(?:',
    '(?:',
    ')',
    ')',
    '|',
    '[^a-z]',
  );
  const quantifier = fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom('', '', '', '?', '*', '+', '{2}') },
    { weight: 1, arbitrary: fc.constantFrom('{1000}', '{0,300}', '{1,30}', '{20,}') },
  );
  const sources = fc
    .array(fc.tuple(item, quantifier), { minLength: 20, maxLength: 400, size: 'max' })
    .map((parts) => closed(parts.map(([a, b]) => (/^(?:\(\?:|\||\^|\\b)$/.test(a) ? a : a + b))));
  const seen = { accepted: 0, refused: 0 };
  const isBounded = fc.property(sources, (source) => {
    const result = compilePattern(source, '');
    if (!result.ok) {
      seen.refused++;
      return;
    }
    seen.accepted++;
    const automaton = automatonOf(source);
    if (automaton.stepCost > 4096 || automaton.size > 4 * 1024 * 1024) throw new Error('beyond the bound');
    if (result.stepCost < automaton.stepCost)
      throw new Error(`${automaton.stepCost}, not ${result.stepCost}`);
  });
  fc.assert(isBounded, { numRuns: 300 });
  t.comment(seen);
  t.ok(seen.accepted > 50 && seen.refused > 5);
});

/** With groups closed that are open, and none closed that is not. */
function closed(parts: readonly string[]): string {
  let depth = 0;
  let source = '';
  for (const part of parts) {
    if (part.startsWith(')') && depth === 0) continue;
    depth += part === '(?:' ? 1 : part.startsWith(')') ? -1 : 0;
    source += part;
    if (source.length > 900) break;
  }
  return source + ')'.repeat(depth);
}

void t.test('engines take no more than their room together', async (t) => {
  const store = createEngineStore<{ size: number; name: number }>(1000);
  let created = 0;
  const places = Array.from({ length: 50 }, (_, name) =>
    store.place(() => {
      created++;
      return { size: 90, name };
    }),
  );
  for (let round = 0; round < 3; round++) {
    places.forEach((place, name) => {
      t.equal(
        place.use((engine) => engine.name),
        name,
      );
      t.ok(store.size <= 1000, `${store.size} bytes`);
    });
  }
  t.ok(created > 50, 'dropped ones are made again');
  const before = created;
  for (let i = 0; i < 30; i++) {
    places[7]!.use(() => undefined);
    places[8 + (i % 3)]!.use(() => undefined);
  }
  t.ok(created - before <= 4, 'what is used stays');
  places[7]!.use((engine) => {
    engine.size = 5000;
  });
  t.ok(store.size <= 5000, `${store.size} bytes`);
});

void t.test('what a pattern costs is bounded without its automaton', async (t) => {
  const options = { ignoresCase: false, multiline: true, dotAll: false, extended: false };
  const around = fc.constantFrom('', '{3}', '{2,5}', '{2,}');
  const isBound = fc.property(patternPair(options), around, ({ pcre }, quantifier) => {
    const node = parsePattern(`(?:${pcre}|\\b$)${quantifier}`, options);
    const { setOf, transitions } = positionsOf(node);
    const bound = sizeOf(node);
    if (setOf.length > bound.positions || transitions.length > bound.transitions) {
      throw new Error(`${setOf.length} positions, ${transitions.length} transitions`);
    }
  });
  fc.assert(isBound, { numRuns: 1000 });
  t.pass('1000 patterns');
});
