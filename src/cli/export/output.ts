import { existsSync, statSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { CliFailure, EXIT, codeOf, messageOf } from '../failure.js';

/** Where an export goes. */
export interface Output {
  /**
   * Writes a part; of gzip each is a member of its own, so that what was written stands by itself. Rejects with a
   * {@link CliFailure}.
   */
  write(text: string): Promise<void>;
  /** what was written so far, as it is stored */
  bytes(): number;
  /** What was written survives a crash of the machine. */
  flush(): Promise<void>;
  /** All is written. */
  finish(): Promise<void>;
  /** Leaves what was written as it is. */
  close(): Promise<void>;
}

const compress = promisify(gzip);

/** The name of a file while it is being written. */
export const partOf = (file: string): string => `${file}.part`;

export interface FileOptions {
  gzip: boolean;
  /** may take the place of a file */
  force: boolean;
  /** what an earlier export wrote to the part and stands; all else is dropped */
  keepBytes: number;
}

/** A file that has its name only when it is whole. Rejects with a {@link CliFailure}. */
export async function openFile(file: string, options: FileOptions): Promise<Output> {
  checkTarget(file, options.force);
  const part = partOf(file);
  const handle = await openPart(part, options.keepBytes);
  let at = options.keepBytes;
  const write = async (bytes: Uint8Array): Promise<void> => {
    try {
      await writeAll(handle, bytes, at);
      at += bytes.length;
    } catch (error) {
      throw writeFailure(part, error);
    }
  };
  return {
    write: async (text) => write(options.gzip ? await compress(text) : Buffer.from(text)),
    bytes: () => at,
    flush: () => flush(handle, part),
    async finish() {
      if (options.gzip && at === 0) await write(await compress(''));
      await flush(handle, part);
      checkTarget(file, options.force);
      try {
        await rename(part, file);
      } catch (error) {
        throw new CliFailure(`${part} is whole, but can not be renamed to ${file}: ${messageOf(error)}.`);
      }
    },
    close: () => handle.close(),
  };
}

/** Standard output. `onClosed`: who reads has gone away; what is written then goes nowhere. */
export function openStream(stream: Writable, options: { gzip: boolean; onClosed: () => void }): Output {
  let at = 0;
  let fault: unknown;
  stream.on('error', (error) => {
    fault = error;
    if (codeOf(error) === 'EPIPE') options.onClosed();
  });
  const write = async (text: string): Promise<void> => {
    const bytes = options.gzip ? await compress(text) : Buffer.from(text);
    const error = await new Promise<unknown>((resolve) => stream.write(bytes, resolve));
    const failed = error ?? fault;
    if (failed != null && codeOf(failed) !== 'EPIPE') throw writeFailure('Standard output', failed);
    if (failed != null) options.onClosed();
    at += bytes.length;
  };
  return {
    write,
    bytes: () => at,
    flush: () => Promise.resolve(),
    finish: async () => {
      if (options.gzip && at === 0) await write('');
    },
    close: () => Promise.resolve(),
  };
}

export async function removePart(file: string): Promise<void> {
  await rm(partOf(file), { force: true });
}

function checkTarget(file: string, force: boolean): void {
  if (!existsSync(file)) return;
  if (!statSync(file).isFile())
    throw new CliFailure(`${file} is not a file; name one, or - for standard output.`, EXIT.usage);
  if (!force)
    throw new CliFailure(`${file} is there already. --force replaces it, once all is written.`, EXIT.usage);
}

async function openPart(part: string, keepBytes: number): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(part, keepBytes > 0 ? 'r+' : 'w');
  } catch (error) {
    const reason = codeOf(error) === 'ENOENT' ? 'there is no such folder' : messageOf(error);
    throw new CliFailure(`${part} can not be written: ${reason}.`, EXIT.usage);
  }
  if (keepBytes === 0) return handle;
  const { size } = await handle.stat();
  if (size >= keepBytes) {
    await handle.truncate(keepBytes);
    return handle;
  }
  await handle.close();
  throw new CliFailure(
    `${part} has ${size} bytes, fewer than the ${keepBytes} that were written. Without --resume the export begins again.`,
    EXIT.usage,
  );
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function flush(handle: FileHandle, part: string): Promise<void> {
  try {
    await handle.datasync();
  } catch (error) {
    // a device or a pipe has nothing to bring to a disk
    if (codeOf(error) !== 'EINVAL') throw writeFailure(part, error);
  }
}

function writeFailure(where: string, error: unknown): CliFailure {
  if (codeOf(error) === 'ENOSPC') return new CliFailure(`${where} can not be written: the disk is full.`);
  if (codeOf(error) === 'EDQUOT')
    return new CliFailure(`${where} can not be written: this user may not have more of the disk.`);
  return new CliFailure(`${where} can not be written: ${messageOf(error)}.`);
}
