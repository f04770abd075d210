import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** How a server is started again and again on the same port and data. */
export interface ServerSpec {
  name: string;
  /** @param port the port to take; 0 at the first start: any free one */
  command(port: number): { program: string; args: string[]; env?: Record<string, string> };
  /**
   * Resolves to the port once the server answers; undefined: not yet, ask again.
   * @param output all that the process has printed
   */
  findPort(output: string, pid: number): Promise<number | undefined>;
  /** Default: a minute. */
  startLimitMs?: number;
}

/** A server process that ends with the test, whichever way the test ends. */
export interface ChildServer {
  readonly port: number;
  /** Of the running process, or of the last one. */
  readonly pid: number;
  /** What the process has printed since its start, at most the last 64 KiB. */
  readonly output: string;
  /** SIGTERM and wait for the end; SIGKILL after 10 s. Nothing when it has ended. */
  stop(): Promise<void>;
  /** SIGKILL and wait for the end. Nothing when it has ended. */
  kill(): Promise<void>;
  /** Stops the process if it runs, and starts it on the same port and data. */
  restart(): Promise<void>;
}

interface Running {
  child: ChildProcess;
  pid: number;
  output: () => string;
  ended: Promise<void>;
  disarm: () => void;
}

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const OUTPUT_LIMIT = 64 * 1024;

/**
 * Starts a server and waits until it answers.
 * @throws Error with what the server printed, when it ends or is not ready within `startLimitMs`
 */
export async function startChildServer(spec: ServerSpec): Promise<ChildServer> {
  let running = launch(spec, 0);
  let port = await waitUntilReady(spec, running);

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (running.child.exitCode === null && running.child.signalCode === null) {
      running.child.kill(signal);
      const limit = setTimeout(() => running.child.kill('SIGKILL'), STOP_LIMIT_MS);
      await running.ended;
      clearTimeout(limit);
    }
    running.disarm();
  }

  return {
    get port() {
      return port;
    },
    get pid() {
      return running.pid;
    },
    get output() {
      return running.output();
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      running = launch(spec, port);
      port = await waitUntilReady(spec, running);
    },
  };
}

function launch(spec: ServerSpec, port: number): Running {
  const { program, args, env } = spec.command(port);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let text = '';
  const collect = (data: Buffer): void => {
    text = (text + data.toString()).slice(-OUTPUT_LIMIT);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      text += `${error.message}\n`;
      resolve();
    });
    child.once('exit', () => {
      resolve();
    });
  });
  const pid = child.pid ?? -1;
  return { child, pid, output: () => text, ended, disarm: pid === -1 ? () => undefined : watch(pid) };
}

/**
 * Ends the process `pid` when this one dies in any way, SIGKILL included: the shell reads from a pipe that only we
 * hold open. Returns the function that calls it off.
 */
function watch(pid: number): () => void {
  const dog = spawn('/bin/sh', ['-c', `cat >/dev/null; kill -9 ${pid} 2>/dev/null`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Not in our process group: a terminal's Ctrl-C, or a runner that kills the group, must not end it first.
    detached: true,
  });
  dog.unref();
  // The pipe of a child counts as a handle: it alone must not keep a finished test alive.
  (dog.stdin as unknown as { unref(): void }).unref();
  return () => {
    if (dog.pid === undefined || dog.exitCode !== null) return;
    try {
      // The whole group, for `cat` is a process of its own. SIGKILL, so that the shell does not go on to its next command.
      process.kill(-dog.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
}

async function waitUntilReady(spec: ServerSpec, running: Running): Promise<number> {
  const deadline = Date.now() + (spec.startLimitMs ?? START_LIMIT_MS);
  const { child, ended } = running;
  while (
    child.exitCode === null &&
    child.signalCode === null &&
    running.pid !== -1 &&
    Date.now() < deadline
  ) {
    const port = await spec.findPort(running.output(), running.pid);
    if (port !== undefined) return port;
    await Promise.race([
      ended,
      once(child.stdout!, 'data', { signal: AbortSignal.timeout(20) }).catch(() => undefined),
    ]);
  }
  child.kill('SIGKILL');
  await ended;
  running.disarm();
  throw new Error(
    `${spec.name} (${child.spawnargs.join(' ')}) did not start; it printed:\n${running.output()}`,
  );
}
