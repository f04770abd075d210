import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { LINE_LIMIT_BYTES, openLines } from '../../src/cli/import/read-lines.js';
import { temporaryFolder, type TestContext } from './run-cli.js';

async function linesOf(
  t: TestContext,
  content: string | Buffer,
): Promise<{ text: string; tooLong: boolean }[]> {
  const file = join(temporaryFolder(t), 'input');
  writeFileSync(file, content);
  const source = await openLines(file, new AbortController().signal);
  const found: { text: string; tooLong: boolean }[] = [];
  for await (const lines of source.chunks) {
    for (const { number, bytes, tooLong } of lines) {
      found.push({ text: tooLong ? '' : bytes.toString(), tooLong });
      if (number !== found.length) throw new Error(`line ${found.length} says it is ${number}`);
    }
  }
  return found;
}
const texts = async (t: TestContext, content: string | Buffer): Promise<string[]> =>
  (await linesOf(t, content)).map(({ text }) => text);

void t.test(
  'lines end with LF or CRLF, the last with either or neither, and a byte order mark is none of them',
  async (t) => {
    t.same(await texts(t, 'a\nb\r\n\nc'), ['a', 'b', '', 'c']);
    t.same(await texts(t, 'a\nb\n'), ['a', 'b']);
    t.same(await texts(t, ''), []);
    t.same(await texts(t, '\ufeffa\n\ufeffb\n'), ['a', '\ufeffb']);
  },
);

void t.test('gzip is known by its bytes', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, i) => `line ${i} ü`);
  t.same(await texts(t, gzipSync(many.join('\n'))), many);
  t.same(
    await texts(t, Buffer.concat([gzipSync('a\nb'), gzipSync('c\nd')])),
    ['a', 'bc', 'd'],
    'members follow one another',
  );
});

void t.test('a file that is cut off says so, and after which line', async (t) => {
  const whole = gzipSync(Array.from({ length: 50_000 }, () => Math.random().toString(36)).join('\n'));
  await t.rejects(texts(t, whole.subarray(0, whole.length - 5000)), {
    message: /cut off or damaged after line [1-9]\d+/,
  });
});

void t.test('a line that is too long is passed over, and the next one is whole', async (t) => {
  const found = await linesOf(
    t,
    `a\n${'x'.repeat(3 * LINE_LIMIT_BYTES)}\n${'y'.repeat(LINE_LIMIT_BYTES)}\nb\n`,
  );
  t.same(
    found.map(({ text, tooLong }) => (tooLong ? 'too long' : text.length)),
    [1, 'too long', LINE_LIMIT_BYTES, 1],
  );
});

void t.test('a file that is not there, and a folder', async (t) => {
  const folder = temporaryFolder(t);
  const { signal } = new AbortController();
  await t.rejects(openLines(join(folder, 'none'), signal), { message: /There is no file/, exitCode: 2 });
  await t.rejects(openLines(folder, signal), { message: /is a folder/, exitCode: 2 });
});
