import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const KONCORDE_VERSION = '4.7.0';

/**
 * The folder of the package, installed into a cache outside of the tree if it is not there: it compiles for some minutes,
 * so that it is no dependency of the project. The cache is `~/.cache/epr-bench`, or what EPR_BENCH_CACHE says.
 * Undefined: it can't be had; `tell` has been told in one line.
 */
export async function findKoncorde(tell: (line: string) => void): Promise<string | undefined> {
  const cache = process.env['EPR_BENCH_CACHE'] || join(homedir(), '.cache', 'epr-bench');
  const folder = join(cache, `koncorde-${KONCORDE_VERSION}`);
  const installed = join(folder, 'node_modules', 'koncorde');
  try {
    if (!existsSync(installed)) {
      tell(`koncorde ${KONCORDE_VERSION} is installed into ${folder}: it compiles for some minutes ...`);
      await install(cache, folder);
    }
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      version: string;
    };
    if (version === KONCORDE_VERSION) return installed;
    tell(`Without koncorde: ${folder} has version ${version}, not ${KONCORDE_VERSION}; remove it.`);
  } catch (error) {
    tell(`Without koncorde, which could not be installed: ${(error as Error).message}`);
  }
  return undefined;
}

/** Whole or not at all: what was interrupted is not taken for installed. */
async function install(cache: string, folder: string): Promise<void> {
  const partial = `${folder}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    const dependencies = { koncorde: KONCORDE_VERSION };
    writeFileSync(join(partial, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await npmInstall(partial, join(cache, 'koncorde-install.log'));
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function npmInstall(folder: string, log: string): Promise<void> {
  const child = spawn('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  child.stderr.on('data', (data) => (output += String(data)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === 0) return;
  writeFileSync(log, output);
  throw new Error(`npm install ended with ${code}, its output is in ${log}`);
}
