import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CountingOutbox, open, readFrom, whats } from './support.js';

void t.test('a disk that takes no more takes the log with it, and nothing else', async (t) => {
  const folder = t.testdir();
  const child = fileURLToPath(new URL('small-disk-child.js', import.meta.url));
  // tap's hook would write beyond the limit, too
  const script = 'ulimit -f 32; unset NODE_OPTIONS; exec "$@"';
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', process.execPath, child, folder], {
    encoding: 'utf8',
  });
  t.equal(stderr, '');
  const result = JSON.parse(stdout) as {
    seen: number;
    kept: string[];
    files: number;
    logged: string[];
    failures: string;
  };
  t.match(result, { seen: 100, files: 0, failures: '1' }, 'who listens is told of all');
  t.match(result.logged.join(), /can't be kept in .* any more.*a restart is a gap/);
  t.same(result.kept, ['gap too-old'], 'what was in the files is gone, and that is told');
  const { live } = await open(new CountingOutbox(), folder);
  t.same(whats(await readFrom(live, '0123456789ab-1.0')), ['gap unknown-id']);
  await live.close();
});
