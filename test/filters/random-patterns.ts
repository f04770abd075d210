import fc from '../fast-check.js';

/** A pattern as PCRE reads it, and one for JavaScript (flag u) that means the same. */
export interface PatternPair {
  pcre: string;
  javascript: string;
}

/** All forms of the letters that are used here; written out for JavaScript, whose \w follows case and whose ^ and $ differ. */
const FORMS = ['aA', 'bB', 'kK\u212a', 'sS\u017f', 'éÉ', 'σςΣ'];
const CHARACTERS = [...'abAkKsS1 _é', '\n', '\u212a', '\u017f', 'É', 'σ', 'ς', '😀', '😁'];

function formsOf(char: string, ignoresCase: boolean): string {
  return (ignoresCase ? FORMS.find((forms) => forms.includes(char)) : undefined) ?? char;
}

/** Plain text of the characters used here. */
export function literalPair(text: string, ignoresCase: boolean): PatternPair {
  return { pcre: text, javascript: [...text].map((char) => `[${formsOf(char, ignoresCase)}]`).join('') };
}

function literal(ignoresCase: boolean): fc.Arbitrary<PatternPair> {
  return fc.constantFrom(...CHARACTERS).map((char) => literalPair(char, ignoresCase));
}

const SETS: [string, string][] = [
  ['\\d', '0-9'],
  ['\\w', '0-9A-Za-z_'],
  ['\\s', '\\t-\\r '],
  ['[:alpha:]', 'A-Za-z'],
  ['\\p{L}', '\\p{L}'],
  ['\\p{So}', '\\p{So}'],
];

/** A bracket expression. */
function characterClass(ignoresCase: boolean): fc.Arbitrary<PatternPair> {
  return fc
    .record({
      negated: fc.boolean(),
      characters: fc.array(fc.constantFrom(...CHARACTERS), { minLength: 1, maxLength: 3 }),
      sets: fc.array(fc.constantFrom(...SETS), { maxLength: 1 }),
    })
    .map(({ negated, characters, sets }) => {
      const sign = negated ? '^' : '';
      const forms = characters.map((char) => formsOf(char, ignoresCase));
      return {
        pcre: `[${sign}${characters.join('')}${sets.map(([pcre]) => pcre).join('')}]`,
        javascript: `[${sign}${forms.join('')}${sets.map(([, javascript]) => javascript).join('')}]`,
      };
    });
}

const WORD = '[0-9A-Za-z_]';
const END = '(?![^])';

function assertions(multiline: boolean): PatternPair[] {
  return [
    { pcre: '^', javascript: multiline ? `(?:(?<![^])|(?<=\\n)(?!${END}))` : '(?<![^])' },
    { pcre: '$', javascript: multiline ? `(?=\\n|${END})` : `(?=\\n?${END})` },
    { pcre: '\\A', javascript: '(?<![^])' },
    { pcre: '\\Z', javascript: `(?=\\n?${END})` },
    { pcre: '\\z', javascript: END },
    { pcre: '\\b', javascript: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))` },
    { pcre: '\\B', javascript: `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))` },
  ];
}

const QUANTIFIERS = ['*', '+', '?', '{2}', '{0}', '{1,3}', '{2,}', '{0,2}', '*?', '+?', '{1,2}?'];

/** Patterns of a few items. The JavaScript one is small enough for an engine that backtracks. */
export function patternPair(options: {
  ignoresCase: boolean;
  multiline: boolean;
}): fc.Arbitrary<PatternPair> {
  const atom = fc.oneof(
    { weight: 6, arbitrary: literal(options.ignoresCase) },
    { weight: 2, arbitrary: characterClass(options.ignoresCase) },
    { weight: 1, arbitrary: fc.constant({ pcre: '.', javascript: '[^\\n]' }) },
  );
  const { whole } = fc.letrec<{ whole: PatternPair; sequence: PatternPair; item: PatternPair }>((tie) => ({
    whole: fc
      .array(tie('sequence'), { minLength: 1, maxLength: 3, size: 'small' })
      .map((branches) => joined(branches, '|')),
    sequence: fc
      .array(tie('item'), { minLength: 1, maxLength: 5, size: 'max' })
      .map((items) => joined(items, '')),
    item: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'pattern' },
      { weight: 6, arbitrary: atom },
      { weight: 1, arbitrary: fc.constantFrom(...assertions(options.multiline)) },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.oneof(atom, tie('whole').map(grouped)), fc.constantFrom(...QUANTIFIERS))
          .map(([inner, quantifier]) => ({
            pcre: inner.pcre + quantifier,
            javascript: inner.javascript + quantifier,
          })),
      },
      { weight: 1, arbitrary: tie('whole').map(grouped) },
    ),
  }));
  return whole;
}

export function joined(parts: readonly PatternPair[], separator: string): PatternPair {
  return {
    pcre: parts.map(({ pcre }) => pcre).join(separator),
    javascript: parts.map(({ javascript }) => javascript).join(separator),
  };
}

export function grouped(inner: PatternPair): PatternPair {
  return { pcre: `(?:${inner.pcre})`, javascript: `(?:${inner.javascript})` };
}

/** Short texts of the characters that the patterns name. */
export const text: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...CHARACTERS), { maxLength: 8, size: 'medium' })
  .map((characters) => characters.join(''));

/** JavaScript's answer; asked between code points only, as V8 looks into surrogate pairs where a pattern begins with a look-behind. */
export function javascriptTest({ javascript }: PatternPair): (text: string) => boolean {
  const judge = new RegExp(javascript, 'uy');
  return (text) => {
    const starts = [0];
    for (const char of text) starts.push(starts.at(-1)! + char.length);
    return starts.some((start) => {
      judge.lastIndex = start;
      return judge.test(text);
    });
  };
}
