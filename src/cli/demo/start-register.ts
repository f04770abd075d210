import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CliFailure } from '../failure.js';

export interface RegisterProcess {
  url: URL;
  /** rejects when the process ends without having been told to */
  died: Promise<never>;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

const STOP_WAIT_MS = 15_000;
const KEPT_LINES = 5;

/**
 * Runs `epr serve` as a process of its own, on free ports, with nothing but these settings. It is in a process group of
 * its own, so that Ctrl-C reaches only us, and ends when we do.
 */
export async function startRegister(
  folder: string,
  settings: Record<string, string>,
): Promise<RegisterProcess> {
  const main = fileURLToPath(new URL('../../main.js', import.meta.url));
  const all = { 'server.port': '0', 'management.port': '0', 'logging.format': 'json', ...settings };
  const flags = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const child = spawn(process.execPath, [main, 'serve', ...flags], {
    // a folder without a config/epr.yml, and an environment without settings
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], EPR_STOP_WITH_PARENT: '1' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const said: string[] = [];
  let stopping = false;
  const died = once(child, 'exit').then(([code, signal]: (number | string | null)[]): never => {
    const how = signal === null ? `with code ${code}` : `by ${signal}`;
    throw new CliFailure(
      stopping
        ? 'The register was stopped.'
        : `The register ended ${how}: ${said.join(' ') || 'it said nothing'}`,
    );
  });
  died.catch(() => undefined);
  const url = await Promise.race([readyUrl(child, said), died]);
  return {
    url,
    died,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const giveUp = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS);
      await died.catch(() => undefined);
      clearTimeout(giveUp);
    },
  };
}

/** The address in the log line that says so. What else is said is kept, to tell it if the process dies. */
function readyUrl(child: ChildProcess, said: string[]): Promise<URL> {
  const keep = (line: string): void => {
    said.push(line);
    if (said.length > KEPT_LINES) said.shift();
  };
  createInterface({ input: child.stderr! }).on('line', keep);
  return new Promise((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const entry = parseLine(line);
      if (typeof entry['url'] === 'string') resolve(new URL(entry['url']));
      else if (entry['level'] === 'error' || entry['level'] === 'fatal' || entry['level'] === undefined)
        keep(line);
    });
  });
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
