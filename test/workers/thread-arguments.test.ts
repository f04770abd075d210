import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { threadArguments } from '../../src/workers/thread-arguments.js';

void t.test('threads get what loads modules, and nothing that is the process’s', async (t) => {
  t.strictSame(
    threadArguments([
      '--max-old-space-size=300',
      '--import=a.js',
      '--import',
      'b.js',
      '--cpu-prof',
      '-r',
      'c.cjs',
      '--enable-source-maps',
      '--inspect',
    ]),
    ['--import=a.js', '--import', 'b.js', '-r', 'c.cjs', '--enable-source-maps'],
  );
});

void t.test('a process with limits of V8 of its own has threads that work', async (t) => {
  const threads = fileURLToPath(new URL('../../src/workers/threads.js', import.meta.url));
  const file = new URL('../../src/workers/worker.js', import.meta.url).href;
  const script = `
    const { createThreads } = await import(${JSON.stringify(threads)});
    const threads = createThreads({ threads: 1, file: new URL(${JSON.stringify(file)}), log: undefined });
    console.log(JSON.stringify(threads.status()));
    await threads.close();
  `;
  const args = ['--max-semi-space-size=16', '--max-old-space-size=300', '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.match(JSON.parse(stdout), { threads: 1, deaths: 0 });
});
