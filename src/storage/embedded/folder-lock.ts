import { randomUUID } from 'node:crypto';
import {
  linkSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Who holds a folder, as its lock file says. */
interface Holder {
  pid: number;
  /** clock ticks since boot, from /proc; empty where there is none */
  started: string;
  /** boot and PID namespace: only inside of both does a pid say whether its process lives */
  world: string;
  token: string;
}

const FILE = 'epr.lock';
const HEARTBEAT_MS = 2000;
/** A lock of another world that was not touched for so long is nobody's. */
const SILENT_MS = 5 * HEARTBEAT_MS;

export class FolderLocked extends Error {
  override readonly name = 'FolderLocked';
}

function read(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

/** `''` of one that has ended, be its parent slow to hear of it (a zombie). */
function startOf(pid: number): string {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name in parentheses may hold spaces
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
}

function worldOf(): string {
  const boot = read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return `${boot} ${read(() => readlinkSync('/proc/self/ns/pid'))}`;
}

function lives(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holder.started === startOf(holder.pid);
}

function touchedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** A process of another container, or before a boot, can't be asked by its pid: does its heart beat? */
async function beats(path: string): Promise<boolean> {
  const before = touchedMs(path);
  if (Date.now() - before > SILENT_MS) return false;
  for (let waitedMs = 0; waitedMs < SILENT_MS; waitedMs += 250) {
    await sleep(250);
    if (touchedMs(path) > before) return true;
  }
  return false;
}

function holderOf(path: string): Holder | undefined {
  const text = read(() => readFileSync(path, 'utf8'));
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

/**
 * Takes a folder for this process, so that no second one opens it: rejects with {@link FolderLocked}, which names the
 * holder. A lock that a killed process left is taken over. Throws what the file system says when it can't be written.
 *
 * @returns gives the folder back
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const path = join(folder, FILE);
  const mine: Holder = {
    pid: process.pid,
    started: startOf(process.pid),
    world: worldOf(),
    token: randomUUID(),
  };
  const draft = `${path}.${mine.token}`;
  writeFileSync(draft, JSON.stringify(mine));
  try {
    for (;;) {
      try {
        linkSync(draft, path); // whole or not at all: a lock is never seen half written
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = holderOf(path);
      if (holder && (holder.world === mine.world ? lives(holder) : await beats(path))) {
        throw new FolderLocked(
          `The folder ${folder} is in use by process ${holder.pid}. An embedded store has one process at a time: stop that one, give another folder (storage.url), or use MongoDB for several replicas.`,
        );
      }
      takeAway(path, draft, holder);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  const heart = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // gone with its folder: nothing is left to hold
    }
  }, HEARTBEAT_MS);
  heart.unref();
  return () => {
    clearInterval(heart);
    if (holderOf(path)?.token === mine.token) rmSync(path, { force: true });
  };
}

/** Removes a dead holder's lock, unless another process was quicker and it is a living one's by now. */
function takeAway(path: string, draft: string, dead: Holder | undefined): void {
  const aside = `${draft}.old`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (holderOf(aside)?.token !== dead?.token) {
    try {
      linkSync(aside, path);
    } catch {
      // a third one has it already
    }
  }
  rmSync(aside, { force: true });
}
