import fc from '../fast-check.js';
import t from 'tap';
import { compilePattern, type CompiledPattern } from '../../src/filters/pattern/pattern.js';
import {
  grouped,
  javascriptTest,
  joined,
  literalPair,
  patternPair,
  text,
  type PatternPair,
} from './random-patterns.js';

const RUNS = 1200;
const TEXTS = fc.array(text, { minLength: 8, maxLength: 8 });

interface Case {
  options: { ignoresCase: boolean; multiline: boolean };
  pair: PatternPair;
  texts: string[];
}

const cases: fc.Arbitrary<Case> = fc
  .record({ ignoresCase: fc.boolean(), multiline: fc.boolean() })
  .chain((options) => fc.record({ options: fc.constant(options), pair: patternPair(options), texts: TEXTS }));

const words = fc
  .array(fc.constantFrom(...'aAbkKsé1😀'), { maxLength: 3 })
  .map((characters) => characters.join(''));

/** Cases with plain text around, before which nothing may be in half of them, and texts that have it. */
const casesInText: fc.Arbitrary<Case> = fc
  .record({ each: cases, before: words, after: words, isAnchored: fc.boolean() })
  .map(({ each: { options, pair, texts }, before, after, isAnchored }) => ({
    options,
    pair: joined(
      [
        isAnchored ? { pcre: '\\A', javascript: '(?<![^])' } : { pcre: '', javascript: '' },
        literalPair(before, options.ignoresCase),
        grouped(pair),
        literalPair(after, options.ignoresCase),
      ],
      '',
    ),
    texts: texts.map((text) => before + text + after),
  }));

function compiled({ pair, options }: Case): CompiledPattern | undefined {
  const result = compilePattern(
    pair.pcre,
    `${options.ignoresCase ? 'i' : ''}${options.multiline ? 'm' : ''}`,
  );
  return result.ok ? result : undefined;
}

void t.test('agrees with JavaScript where a pattern can be said in both', async (t) => {
  let asked = 0;
  let matched = 0;
  const agrees = fc.property(cases, (each) => {
    const pattern = compiled(each);
    if (pattern === undefined) return;
    const judge = javascriptTest(each.pair);
    for (const text of each.texts) {
      const answer = pattern.test(text);
      asked++;
      if (answer) matched++;
      if (judge(text) !== answer) throw new Error(`not ${answer}: ${JSON.stringify(text)}`);
    }
  });
  fc.assert(agrees, { numRuns: RUNS });
  t.comment({ asked, matched });
  t.ok(asked > 4 * RUNS && matched > RUNS, 'many texts match, and many do not');
});

void t.test('the plain text that is told is in every text that matches', async (t) => {
  const seen = { required: 0, anchored: 0, lower: 0, literal: 0 };
  const isSound = fc.property(fc.oneof(cases, casesInText), (each) => {
    const pattern = compiled(each);
    if (pattern === undefined) return;
    const { required, requiredLower, isLiteral } = pattern;
    const judge = javascriptTest(each.pair);
    for (const text of each.texts) {
      const holds = required === undefined || has(text, required);
      // Judged by JavaScript: the pattern's own test asks the same question first.
      const matches = judge(text);
      if (isLiteral && holds !== matches) throw new Error(`not the whole pattern: ${JSON.stringify(text)}`);
      if (!matches) continue;
      if (!holds) throw new Error(`${JSON.stringify(text)} has no ${JSON.stringify(required)}`);
      if (requiredLower !== undefined && !has(text.toLowerCase(), requiredLower)) {
        throw new Error(`${JSON.stringify(text)} has no ${JSON.stringify(requiredLower)}`);
      }
      if (required !== undefined) seen.required++;
      if (required?.anchored === true) seen.anchored++;
      if (requiredLower !== undefined) seen.lower++;
      if (isLiteral) seen.literal++;
    }
  });
  fc.assert(isSound, { numRuns: RUNS });
  t.comment(seen);
  for (const [kind, count] of Object.entries(seen)) t.ok(count > RUNS / 100, `${kind}: ${count}`);
});

function has(text: string, required: { text: string; anchored: boolean }): boolean {
  return required.anchored ? text.startsWith(required.text) : text.includes(required.text);
}
