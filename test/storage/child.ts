import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

export const CHILD = join(import.meta.dirname, 'committing-child.js');

/** A process of `committing-child.ts`. */
export interface Child {
  process: ChildProcess;
  /** what it said */
  lines: string[];
  /** resolves when it said so many lines, or ended */
  said(lines: number): Promise<void>;
  kill(): Promise<void>;
}

/** @param limitKiB that a file may have */
export async function startChild(t: Test, folder: string, task: string, limitKiB?: number): Promise<Child> {
  const args = [CHILD, `file:${folder}`, task];
  // tap has every process write files of its own at its end, which a limit would refuse
  const limited = `ulimit -f ${limitKiB}; unset NODE_OPTIONS; exec "$@"`;
  const child =
    limitKiB === undefined
      ? spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('bash', ['-c', limited, 'bash', process.execPath, ...args], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
  const exited = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on('line', (line) => lines.push(line));
  const ended = once(reader, 'close');
  const said = async (count: number) => {
    while (lines.length < count)
      if ((await Promise.race([ended.then(() => 'end'), sleep(2)])) === 'end') return;
  };
  await said(1);
  return {
    process: child,
    lines,
    said,
    async kill() {
      child.kill('SIGKILL');
      await exited;
      await ended;
    },
  };
}
