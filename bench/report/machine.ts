import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from '../statistics.js';

/** On what the figures were measured. */
export interface Machine {
  date: string;
  command: string;
  processors: number;
  processor: string;
  memoryGiB: number;
  system: string;
  node: string;
  versions: Record<string, string>;
  /** load of the last minute, before the bench began: above 0.5 the figures are those of a shared machine */
  loadBefore: number;
  /** median of 200 appends of 4 KiB with fdatasync, where the stores are */
  fsyncMs: number;
}

const FLUSHES = 200;
/** Options that name a folder. */
const FOLDERS = ['--results', '--profile', '--data'];

/**
 * @param command such as `npm run bench`
 * @param packages those whose versions count
 */
export function describeMachine(command: string, args: string[], packages: readonly string[]): Machine {
  const asked = withoutFolders(args);
  return {
    date: new Date().toISOString(),
    command: [command, ...(asked.length === 0 ? [] : ['--', ...asked])].join(' '),
    processors: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    versions: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
    fsyncMs: Math.round(measureFlush() * 1000) / 1000,
  };
}

/** Where a run keeps its files says nothing about what it measured, but much about the machine. */
export function withoutFolders(args: readonly string[]): string[] {
  return args.filter((arg, i) => !isFolder(arg) && !FOLDERS.includes(args[i - 1] ?? ''));
}

function isFolder(arg: string): boolean {
  return FOLDERS.some((name) => arg === name || arg.startsWith(`${name}=`));
}

function versionOf(name: string): string {
  const manifest = new URL(`../../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function measureFlush(): number {
  const folder = mkdtempSync(join(tmpdir(), 'epr-bench-flush-'));
  const file = openSync(join(folder, 'flush'), 'w');
  const block = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let i = 0; i < FLUSHES; i++) {
    const startMs = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    times.push(performance.now() - startMs);
  }
  closeSync(file);
  rmSync(folder, { recursive: true });
  return median(times);
}
