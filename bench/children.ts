import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of the bench: a server that is measured, or a client that measures. */
export interface Child<Ready = unknown> {
  readonly pid: number;
  /** what it said when it was ready */
  readonly ready: Ready;
  /** Calls one of its functions, by name. Rejects with its error, or when it ends before it answers. */
  ask<T>(name: string, argument?: unknown): Promise<T>;
  /** SIGKILL, and wait for the end. Nothing when it has ended. */
  kill(): Promise<void>;
}

interface Question {
  id: number;
  name: string;
  argument: unknown;
}

type Answer = { ready: unknown } | { id: number; result: unknown } | { id: number; error: string };

/**
 * Starts a module of the bench as a process of its own, which ends when this one does.
 * @param module its address, below `build/bench/`, with `.js`
 */
export async function startChild<Ready>(module: string, argument: unknown): Promise<Child<Ready>> {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [JSON.stringify(argument)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    // Large typed arrays go over, too.
    serialization: 'advanced',
    execArgv: ['--enable-source-maps'],
  });
  const open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  let questions = 0;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const failAll = () => {
    for (const { reject } of open.values()) reject(new Error(`${module} ended too early`));
    open.clear();
  };
  void ended.then(failAll);
  const ready = new Promise<Ready>((resolve, reject) => {
    void ended.then(() => reject(new Error(`${module} did not start`)));
    child.on('message', (message: Answer) => {
      if ('ready' in message) return resolve(message.ready as Ready);
      const question = open.get(message.id);
      open.delete(message.id);
      if ('error' in message) question?.reject(new Error(`${module}: ${message.error}`));
      else question?.resolve(message.result as never);
    });
  });
  return {
    pid: child.pid ?? -1,
    ready: await ready,
    ask<T>(name: string, given?: unknown): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        const id = questions++;
        open.set(id, { resolve, reject });
        child.send({ id, name, argument: given } satisfies Question, (error) => {
          if (error) reject(error);
        });
      });
    },
    kill: () => killAndWait(child),
  };
}

export async function killAndWait(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

/** In the child: what it was started with. */
export function childArgument<T>(): T {
  return JSON.parse(process.argv[2] ?? 'null') as T;
}

/** In the child: says that it is ready, and answers what it is asked. Ends the process when the parent is gone. */
export function serveParent(
  ready: unknown,
  functions: Record<string, (argument: never) => Promise<unknown>> = {},
): void {
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, name, argument }: Question) => {
    void functions[name]!(argument as never).then(
      (result) => process.send!({ id, result }),
      (error: unknown) => process.send!({ id, error: String((error as Error).stack ?? error) }),
    );
  });
  process.send!({ ready });
}
