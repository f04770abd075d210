import { spawn } from 'node:child_process';
import type { Test } from 'tap';
import { fetchedSchemathesis, programOnPath, skipWithout } from './installed.js';

export interface SchemathesisRun {
  /** 0: no check failed */
  code: number | null;
  /** what it printed */
  output: string;
}

export interface Schemathesis {
  /**
   * Runs the command line to its end.
   * @param hooks folder and name of the Python module that it loads, if any
   */
  run(
    args: readonly string[],
    options: { cwd: string; hooks?: { folder: string; module: string } },
  ): Promise<SchemathesisRun>;
}

/**
 * The property-based tester of APIs that are described by OpenAPI. Looked for in this order: `schemathesis` on the path,
 * what `npm run test:servers` fetched.
 * @returns undefined when there is none; then `t` has been given a skip
 * @throws Error when there is none and EPR_TESTS_REQUIRE_SERVERS is 1
 */
export function findSchemathesis(t: Test): Schemathesis | undefined {
  const onPath = programOnPath('schemathesis', { scripts: true });
  const fetched = onPath === undefined ? fetchedSchemathesis() : undefined;
  if (onPath === undefined && fetched === undefined) return skipWithout(t, 'schemathesis');
  return {
    run: (args, { cwd, hooks }) => {
      const [program, first, folders] =
        fetched === undefined
          ? [onPath!, [], []]
          : [fetched.python, ['-m', 'schemathesis.cli'], [fetched.packages]];
      if (hooks !== undefined) folders.push(hooks.folder);
      const env: NodeJS.ProcessEnv = {
        ...process.env,
        PYTHONPATH: folders.join(':'),
        PYTHONDONTWRITEBYTECODE: '1',
        ...(hooks === undefined ? {} : { SCHEMATHESIS_HOOKS: hooks.module }),
      };
      const child = spawn(program, [...first, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
      t.teardown(() => child.kill('SIGKILL'));
      let output = '';
      child.stdout.on('data', (data: Buffer) => (output += data.toString()));
      child.stderr.on('data', (data: Buffer) => (output += data.toString()));
      return new Promise((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) => resolve({ code, output }));
      });
    },
  };
}
