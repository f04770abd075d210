import t from 'tap';
import { runCli, startCli, temporaryFolder } from './run-cli.js';

void t.test('every command has a help with examples', async (t) => {
  const all = await runCli(['--help']);
  t.equal(all.code, 0);
  for (const command of ['serve', 'config', 'import', 'export', 'filters', 'watch', 'demo', 'completion']) {
    t.match(all.stdout, new RegExp(`^  ${command}\\b`, 'm'));
    const one = await runCli([command, '--help']);
    t.equal(one.code, 0);
    t.match(one.stdout, /Examples:\n {2}\$ /);
    t.match(one.stdout, /Exit codes:/);
  }
});

void t.test('a reader that has enough is no fault', async (t) => {
  const { child, done } = startCli(['--help']);
  child.stdout!.destroy();
  t.match(await done, { code: 0, stderr: '' });
});

void t.test('the version', async (t) => {
  const { stdout, code } = await runCli(['--version']);
  t.match(stdout, /^\d+\.\d+\.\d+\n$/);
  t.equal(code, 0);
});

void t.test('a wrong command line is one line, a hint, and exit code 2', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['fly'], /unknown command 'fly'/],
    [['serve', '--fast'], /unknown option '--fast'/],
    [['serve', '--port', 'x'], /--port.*whole number/],
    [['serve', '--set', 'server.port'], /key=value/],
    [['import'], /missing required argument 'file'/],
    [['import', 'f', '--rate', '0'], /--rate.*500\/s/],
    [['import', 'f', '--retry-for', '60'], /--retry-for.*unit/],
    [['import', 'f', '--url', 'ftp://x'], /--url.*http:\/\//],
    [['republish', '--since', '0h'], /--since.*no events; give the age of the oldest/],
    [['republish', '--since', '1h', '--since', '2h'], /'--since <time>' is given twice; allowed: once/],
    [['serve', '-p', '1', '--port', '2'], /'-p, --port <port>' is given twice/],
    [['import', 'f', '--as', 'both'], /registrations, metadata/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await runCli(args);
    t.equal(code, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, message);
    t.match(stderr, /^epr: .*\n\(epr .*--help shows what there is\)\n$/);
  }
});

void t.test('a wrong configuration is told by key, and nothing starts', async (t) => {
  const cwd = temporaryFolder(t);
  const one = await runCli(['serve', '--set', 'server.prt=1'], { cwd });
  t.equal(one.code, 2);
  t.match(one.stderr, /^epr: .*server\.prt.*did you mean server\.port\?\n$/);
  const two = await runCli(['config', '--set', 'server.prt=1', '--set', 'logging.level=loud'], { cwd });
  t.equal(two.code, 2);
  t.match(two.stderr, /2 settings are wrong:\n {2}.*\n {2}.*logging\.level/);
  t.equal(two.stdout, '');
  const twice = await runCli(['config', '--port', '1', '--set', 'server.port=2'], { cwd });
  t.equal(twice.code, 2);
  t.match(twice.stderr, /say the same thing twice/);
  const none = await runCli(['config', '--config', 'none.yml'], { cwd });
  t.equal(none.code, 2);
  t.match(none.stderr, /none\.yml/);
});

void t.test('config shows what is in force and whence', async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stdout } = await runCli(['config', '--port', '9000', '--data', 'here', '--json'], {
    cwd,
    env: { LOGGING_LEVEL: 'warn', MONGODB_USERNAME: 'joe', MONGODB_PASSWORD: 'hunter2' },
  });
  t.equal(code, 0);
  const rows = JSON.parse(stdout) as { key: string; value: unknown; source: string }[];
  const of = (key: string) => rows.find((row) => row.key === key);
  t.match(of('server.port'), { value: 9000, source: 'flag' });
  t.match(of('storage.url'), { value: 'file:here', source: 'flag' });
  t.match(of('logging.level'), { value: 'warn', source: 'environment' });
  t.notMatch(stdout, /hunter2/);
});
