import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { runCli, temporaryFolder } from './run-cli.js';

const run = promisify(execFile);

/** What bash offers where the line ends: the function that the script names for `epr`, called as bash calls it. */
async function complete(script: string, cwd: string, line: string): Promise<string[]> {
  const ask = `source "$1"; COMP_LINE=$2; COMP_POINT=\${#COMP_LINE}; $(complete -p epr | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['--norc', '-c', ask, 'bash', script, line], { cwd });
  if (stderr !== '') throw new Error(stderr);
  return stdout
    .split('\n')
    .filter((text) => text !== '')
    .sort();
}

/** The long options that the help of a command names: said by the same definitions, printed by other code. */
function optionsInHelp(help: string): string[] {
  return [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map((found) => found[1]!).sort();
}

void t.test('bash completes every command, option and value', async (t) => {
  const cwd = temporaryFolder(t);
  const { code, stdout } = await runCli(['completion', 'bash']);
  t.equal(code, 0);
  const script = join(cwd, 'script.bash');
  writeFileSync(script, stdout);
  mkdirSync(join(cwd, 'files', 'sub folder'), { recursive: true });
  writeFileSync(join(cwd, 'files', 'fleet.ndjson'), '');
  const offered = (line: string): Promise<string[]> => complete(script, cwd, line);

  const { stdout: help } = await runCli(['--help']);
  const commands = [...help.slice(help.indexOf('Commands:')).matchAll(/^ {2}(\w+) (?:\[|<| {2})/gm)].map(
    (found) => found[1]!,
  );
  t.ok(commands.length >= 8, commands.join(' '));
  t.same(await offered('epr '), [...commands].sort());
  t.same(await offered('epr f'), ['filters']);
  t.same(await offered('epr --v'), ['--version']);
  for (const command of commands) {
    const { stdout: own } = await runCli([command, '--help']);
    t.same(await offered(`epr ${command} --`), optionsInHelp(own), command);
  }
  t.same(await offered('epr import --dry'), ['--dry-run']);
  t.same(await offered('epr import f --as '), ['metadata', 'registrations']);
  t.same(await offered('epr import --as=r'), ['registrations']);
  t.same(await offered('epr completion '), ['bash', 'fish', 'zsh']);
  t.same(await offered('epr completion bash '), []);
  t.same(await offered('epr import files/'), ['files/fleet.ndjson', 'files/sub folder']);
  t.same(await offered('epr import files/sub\\ f'), ['files/sub folder']);
  t.same(await offered('epr import --url http://127.0.0.1:80 --dry-run files/f'), ['files/fleet.ndjson']);
  t.same(await offered('epr import files/fleet.ndjson files/f'), [], 'it takes one file');
  t.same(await offered('epr import --failures files/f'), ['files/fleet.ndjson']);
  t.same(await offered('epr serve --data files/'), ['files/sub folder'], 'a folder');
  t.same(await offered('epr serve -c files/f'), ['files/fleet.ndjson']);
  t.same(await offered('epr import --url '), []);
  t.same(await offered('epr nothing --'), []);
});

void t.test('scripts for zsh and fish name the same', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const { code, stdout } = await runCli(['completion', shell]);
    t.equal(code, 0);
    for (const word of ['import', 'filters', 'prune', 'registrations', 'completion'])
      t.match(stdout, new RegExp(`\\b${word}\\b`), `${shell}: ${word}`);
  }
  const { code, stderr } = await runCli(['completion', 'tcsh']);
  t.equal(code, 2);
  t.match(stderr, /bash, zsh, fish/);
});
