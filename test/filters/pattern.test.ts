import t from 'tap';
import { compilePattern } from '../../src/filters/pattern/pattern.js';

function matches(pattern: string, text: string, options = ''): boolean {
  const result = compilePattern(pattern, options);
  if (!result.ok) throw new Error(`${pattern}: ${result.message}`);
  return result.test(text);
}

/** [pattern, options, texts that PCRE (UTF, not UCP) matches, texts that it does not]; all checked with libpcre2. */
const CASES: [string, string, string[], string[]][] = [
  ['TS', '', ['+TSRA', 'TS'], ['ts', 'T']],
  ['^Ky', '', ['Kyiv'], ['kyiv', 'aKyiv']],
  ['^drifting buoy', 'i', ['DRIFTING BUOY 7'], ['a drifting buoy']],
  ['a$', '', ['a', 'ba', 'a\n'], ['a\n\n', 'ab', 'a\nb']],
  ['(?:a$|^b)', '', ['a\n', 'bc'], ['ab']],
  ['a\\Z', '', ['a\n'], ['ab']],
  ['a\\z', '', ['a'], ['a\n']],
  ['^a$', 'm', ['b\na\nc', 'a\n'], ['ab']],
  ['^a', 'm', ['b\na'], ['ba']],
  ['a.b', '', ['a b', 'a\rb', 'a😀b'], ['a\nb']],
  ['a.b', 's', ['a\nb'], ['ab']],
  ['^.$', '', ['😀', 'é'], ['']],
  ['a\\sb', '', ['a b', 'a\vb', 'a\tb'], ['a\u00a0b', 'a\u0085b']],
  ['[\\s]', '', ['\v'], ['\u00a0']],
  ['^\\S$', '', ['\u00a0'], ['\v']],
  ['^\\w+$', '', ['ab_1'], ['é', 'a-b']],
  ['^\\w$', 'i', ['K'], ['\u212a', 'ſ']],
  ['^[\\w-]$', 'i', ['-', 'k'], ['\u212a', 'ſ']],
  ['^[^\\w-]$', 'i', ['\u212a', 'ſ', '.'], ['-', 'k']],
  ['^[^\\dk]$', 'i', ['s'], ['\u212a', 'K', '1']],
  ['^k$', 'i', ['K', '\u212a'], ['c']],
  ['^straße$', 'i', ['STRAẞE'], ['STRASSE']],
  ['^σ$', 'i', ['Σ', 'ς'], ['s']],
  ['^[é-ü]$', 'i', ['É', 'Ü'], ['e']],
  ['^\\d$', '', ['5'], ['٥']],
  ['\\bé', '', ['aé'], ['é', ' é']],
  ['^\\h$', '', ['\t', '\u00a0', '\u3000'], ['\n']],
  ['^\\v$', '', ['\v', '\n', '\u2028'], [' ']],
  ['^\\N$', 's', ['a'], ['\n']],
  ['^[[:upper:]]$', '', ['A'], ['a', 'É']],
  ['^[[:upper:]]$', 'i', ['a'], ['1', 'ſ']],
  ['^[[:^alpha:]]$', '', ['1', 'é'], ['a']],
  ['^[]a]$', '', [']', 'a'], ['b']],
  ['^[^]a]$', '', ['b', '\n'], [']', 'a']],
  ['^\\p{L}\\P{L}\\pN$', '', ['é-1'], ['1-é']],
  ['^\\Qa.b*\\E+$', '', ['a.b**'], ['a.b', 'axb*']],
  ['^a{2,3}?$', '', ['aa', 'aaa'], ['a', 'aaaa']],
  ['^a{x}$', '', ['a{x}'], ['a']],
  ['^ a b # c\n d $', 'x', ['abd'], ['a b d']],
  ['^[ #]\\ $', 'x', ['# ', '  '], ['a ']],
  ['^a +$', 'x', ['aaa'], ['a a']],
  ['^(a(?i)b|c)D$', '', ['abD', 'aBD', 'CD'], ['AbD', 'cd']],
  ['^(?i:a)b$', '', ['Ab'], ['AB']],
  ['^(?-i)a$', 'i', ['a'], ['A']],
  ['^(?<year>\\d{4})-(?P<month>\\d\\d)$', '', ['2022-10'], ['22-10']],
  ['^a(?#comment)b$', '', ['ab'], ['a']],
  ['^\\x41\\x{1F600}\\t\\e$', '', ['A😀\t\x1b'], ['A']],
  ['', '', ['', 'a'], []],
  ['a|', '', ['b'], []],
  ['a$b', '', [], ['ab', 'a\nb', 'a']],
  ['a$\\nb?', '', ['a\n'], ['a', 'a\nb', 'a\n\n']],
  ['a\\Z\\n$', '', ['a\n'], ['a\n\n', 'a']],
  ['(?:a$)*b', '', ['b', 'ab'], ['a\n']],
  ['^$', 'm', ['', '\n', 'a\n\nb'], ['a', 'a\n']],
  ['a\n^', 'm', ['a\nb', 'a\n\n'], ['a\n', 'ba']],
  ['^[^\\wé]$', 'i', ['-', '\u017f'], ['É', 'a', 'é']],
  ['(?:^|\\b|a){3}c', '', ['aac', 'c'], ['xac ', 'b']],
];

/** Names without what TAP reads as its own. */
function nameOf(...parts: string[]): string {
  return JSON.stringify(parts).replace(/[^ -~]|#/g, (char) => `<${char.charCodeAt(0).toString(16)}>`);
}

void t.test('matches what PCRE matches', async (t) => {
  for (const [pattern, options, positive, negative] of CASES) {
    for (const text of positive) t.ok(matches(pattern, text, options), nameOf(pattern, options, text));
    for (const text of negative)
      t.notOk(matches(pattern, text, options), nameOf('not', pattern, options, text));
  }
});

/** [pattern, options, what the message says] */
const REFUSED: [string, string, RegExp][] = [
  ['(a)\\1', '', /backreferences/],
  ['(?<n>a)\\k<n>', '', /\\k/],
  ['\\07', '', /octal/],
  ['a(?=b)', '', /look-ahead/],
  ['(?<!a)b', '', /look-behind/],
  ['(?>a)', '', /atomic/],
  ['a++', '', /possessive/],
  ['a{2}{3}', '', /doubled/],
  ['(?R)', '', /recursion/],
  ['(a)(?1)', '', /recursion/],
  ['(?(1)a|b)', '', /conditional/],
  ['(?|a|b)', '', /branch reset/],
  ['(*UCP)a', '', /verbs/],
  ['(?U)a', '', /not supported/],
  ['\\Ra', '', /\\R/],
  ['\\X', '', /\\X/],
  ['a\\Kb', '', /\\K/],
  ['\\C', '', /\\C/],
  ['\\Ga', '', /\\G/],
  ['\\cA', '', /\\c/],
  ['\\u0041', '', /\\u/],
  ['\\p{Greek}', '', /category/],
  ['\\p{Lu}', 'i', /case/],
  ['[a-\\d]', '', /range/],
  ['[\\w-a]', '', /range/],
  ['[z-a]', '', /out of order/],
  ['[a', '', /not closed/],
  ['[[:foo:]]', '', /POSIX/],
  ['[[.a.]]', '', /POSIX/],
  ['[:alpha:]', '', /brackets/],
  ['(a', '', /not closed/],
  ['a)', '', /unmatched/],
  ['*a', '', /nothing to repeat/],
  ['^*', '', /nothing to repeat/],
  ['a{1001}', '', /1000/],
  ['a{3,2}', '', /out of order/],
  ['a{,2}', '', /quantifier/],
  ['(?:(?:a{100}){100}){100}', '', /repeats too much/],
  [`(?:${[...'abcdefghi'].map((letter) => `${letter}{1000}`).join('|')})c`, '', /more than 8192 characters/],
  ['(?:[ab]?c?[ad]?d?){1000}e', '', /may cost it \d+ steps, 4096 are allowed; lower/],
  [`${'('.repeat(600)}a${')'.repeat(600)}`, '', /nested deeper than 512/],
  ['a\\', '', /backslash/],
  ['a\0b', '', /null/],
  ['\ud800', '', /surrogate/],
  ['a', 'g', /"g"/],
  ['(?<n>a)(?<n>b)', '', /twice/],
];

void t.test('refuses with the reason', async (t) => {
  for (const [pattern, options, reason] of REFUSED) {
    const result = compilePattern(pattern, options);
    t.match(result, { ok: false, message: reason }, nameOf(pattern.slice(0, 40), options));
  }
});

void t.test('a pattern that makes a backtracking engine hang answers', async (t) => {
  const text = `${'a'.repeat(50_000)}!`;
  t.notOk(matches('^(a+)+$', text));
  t.notOk(matches('^(a|aa)+$', text));
  t.notOk(matches('(x+x+)+y', 'x'.repeat(50_000)));
});

void t.test('plain text in a pattern is looked for first, and changes no answer', (t) => {
  const texts = [
    '',
    'ab',
    'abc',
    'xabc',
    'abxc',
    'ABC',
    'a1b2',
    'ab12',
    'x😀y',
    '😀',
    'a\nbc',
    'cab',
    'abab',
  ];
  const patterns: [string, string][] = [
    ['^ab.', ''],
    ['^ab.', 'm'],
    ['ab[0-9]+', ''],
    ['ab[0-9]*c?', ''],
    ['^a[0-9]?b', ''],
    ['(ab)+$', ''],
    ['ab|x.', ''],
    ['ab.', 'i'],
    ['x😀.', ''],
    ['\\bab\\b', ''],
    ['(?:ab)?c', ''],
    ['^(?:cab|x).*b', ''],
  ];
  for (const [pattern, options] of patterns) {
    const judge = new RegExp(pattern, `u${options}`);
    for (const text of texts) {
      const name = `/${pattern}/${options} on ${JSON.stringify(text)}`;
      t.equal(matches(pattern, text, options), judge.test(text), name);
      t.equal(matches(pattern, text, options), judge.test(text), `${name}, again`);
    }
  }
  t.end();
});
