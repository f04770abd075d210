import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open, type RootDatabase } from 'lmdb';
import { hearReason, reasonOf, within } from './commit-reason.js';
import { FolderLocked, lockFolder } from './folder-lock.js';
import { type Fence, openFence, openTables, type Tables } from './tables.js';
import { upgradeFrom1 } from './upgrade.js';

/** The form of the data in the tables. A change that an older version would misread raises it. */
export const FORMAT = 3;
const FORMAT_KEY = 'format';
const CLOSE_MS = 5_000;

export interface OpenFolder {
  folder: string;
  env: RootDatabase;
  tables: Tables;
  fence: Fence;
  /** Closes all and gives the folder back. */
  close(): Promise<void>;
}

/** The folder of a `file:` URL. */
export function folderOf(url: string): string {
  return resolve(url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length));
}

/** Opens the folder of a `file:` URL, for this process alone. Rejects with a message that says the remedy. */
export async function openFolder(url: string): Promise<OpenFolder> {
  const folder = folderOf(url);
  let unlock: (() => void) | undefined;
  let env: RootDatabase | undefined;
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK);
    unlock = await lockFolder(folder);
    checkMagic(join(folder, 'data.mdb'));
    env = open({
      path: folder,
      encoding: 'binary',
      noSubdir: false,
      maxDbs: 32,
      noMemInit: true,
      // The writer groups by itself. With it, lmdb-js makes a promise of its own, which a failed commit rejects unheard.
      eventTurnBatching: false,
    });
    const opening = env;
    // one flush for all that are new, not one for each
    const { tables, fence } = opening.transactionSync(() => ({
      tables: openTables(opening),
      fence: openFence(opening),
    }));
    await checkFormat(env, tables, folder);
    flushFolder(folder);
    const opened = { env, unlock };
    return {
      folder,
      env,
      tables,
      fence,
      async close() {
        await closeEnvironment(opened.env);
        opened.unlock();
      },
    };
  } catch (error) {
    if (env) await closeEnvironment(env);
    unlock?.();
    throw explainOpening(error, folder);
  }
}

/**
 * After a failed flush, lmdb-js waits for that flush at its end, for ever: an empty transaction takes its place, mostly.
 * Hence the time limit; what was answered is on disk already.
 */
async function closeEnvironment(env: RootDatabase): Promise<void> {
  const close = async () => {
    await env.transaction(() => undefined).catch((error: unknown) => void hearReason(error));
    await env.close();
  };
  await within(CLOSE_MS, close());
}

/** Not by `recursive`: where the parent is there and refuses with ENOENT, as /proc does, that tries for ever (Node 20). */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // somebody else was quicker
    if (codeOf(error) === 'EEXIST' && statSync(folder).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT') throw error;
    throw new NoPlace(
      `No folder can be made in ${parent}, where the data is to be kept (${folder}). Give another folder (storage.url)`,
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

/** A new file outlives a power cut only when its folder is flushed, too. */
function flushFolder(folder: string): void {
  if (process.platform === 'win32') return; // can't open folders, and does it by itself
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

class WrongFormat extends Error {}

class NoPlace extends Error {}

/** LMDB's page header, then its magic number: lmdb-js brings the process down when it is given anything else. */
const MAGIC_AT = 24;
const MAGIC = 0xbeefc0de;

function checkMagic(path: string): void {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    const head = Buffer.alloc(MAGIC_AT + 4);
    const bytes = readSync(file, head, 0, head.length, 0);
    if (bytes > 0 && head.readUInt32LE(MAGIC_AT) !== MAGIC) throw new Error('MDB_INVALID: no LMDB file');
  } finally {
    closeSync(file);
  }
}

async function checkFormat(env: RootDatabase, tables: Tables, folder: string): Promise<void> {
  const { meta } = tables;
  const found = meta.getBinary(FORMAT_KEY)?.readUInt32LE(0);
  if (found !== undefined && found > FORMAT) {
    throw new WrongFormat(
      `The data in ${folder} has format ${found}; this version of the register reads format ${FORMAT}. Start the version that wrote it, or a newer one, or give another folder (storage.url).`,
    );
  }
  if (found === FORMAT) return;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(FORMAT, 0);
  try {
    if (found === 1) await upgradeFrom1(env, tables);
    await env.transaction(() => void meta.put(FORMAT_KEY, bytes));
  } catch (error) {
    throw (await reasonOf(error)) ?? error;
  }
}

function explainOpening(error: unknown, folder: string): Error {
  if (error instanceof WrongFormat || error instanceof NoPlace || error instanceof FolderLocked) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  const text = `${code ?? ''} ${message}`;
  const say = (what: string) => new Error(`${what} (${message})`, { cause: error });
  if (/EACCES|EPERM|EROFS|Permission denied|Read-only/i.test(text)) {
    return say(
      `The folder ${folder} can't be written. Give this user the right to, or another folder (storage.url)`,
    );
  }
  if (/ENOTDIR|EEXIST|Not a directory/i.test(text)) {
    return say(`${folder} is no folder, or lies below a file. Give another folder (storage.url)`);
  }
  if (/ENOSPC|EDQUOT|No space/i.test(text)) return say(`The disk of ${folder} is full. Free some space`);
  if (/EFBIG|File too large/i.test(text))
    return say(`The file system refuses a larger file in ${folder}. Raise its limit`);
  // LMDB's answer to a write that was cut short, too
  if (/EIO|Input\/output/i.test(text))
    return say(`The disk of ${folder} is full, or fails. Free some space, or look at the system's log`);
  if (/MDB_INVALID|MDB_CORRUPTED|MDB_PAGE_NOTFOUND|MDB_VERSION_MISMATCH|MDB_PANIC/i.test(text)) {
    return say(
      `${folder} has a data.mdb that is damaged, or no database of the register. Restore a backup, or move the file away to start empty`,
    );
  }
  return say(`The embedded store in ${folder} could not be opened`);
}
