import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** resolves when the output holds the text; rejects when the process ends before */
  said(text: string): Promise<void>;
  done: Promise<CliResult>;
}

export interface CliOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** Runs `epr` as a process, with nothing of our environment but what Node needs. */
export function startCli(args: readonly string[], { cwd, env }: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { PATH: process.env['PATH'], ...env } });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  const heard = (): void => listeners.forEach((listener) => listener());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard();
  });
  const done = new Promise<CliResult>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!(stdout + stderr).includes(text)) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      look();
      void done.then(() =>
        reject(
          new Error(
            `epr ended without saying ${JSON.stringify(text)}; it said ${JSON.stringify(stdout + stderr)}`,
          ),
        ),
      );
    });
  return { child, stdout: () => stdout, stderr: () => stderr, said, done };
}

export function runCli(
  args: readonly string[],
  options: CliOptions & { input?: string | Buffer } = {},
): Promise<CliResult> {
  const running = startCli(args, options);
  running.child.stdin!.end(options.input ?? '');
  return running.done;
}

export interface TestContext {
  teardown(action: () => unknown): void;
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'epr-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
