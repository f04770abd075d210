import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { codeOf } from '../failure.js';
import { replaceFile } from '../replace-file.js';
import type { Counts } from './ledger.js';

/** Which file it was: its size, its time, and a hash of its first and last 64 KiB. */
export interface FileIdentity {
  size: number;
  modified: string;
  hash: string;
}

/** How far an import came. Everything in it is true of the lines up to `line`, and of no other. */
export interface Progress {
  file: FileIdentity;
  /** where it was imported to */
  url: string;
  line: number;
  counts: Counts;
  /** length of the failures file */
  failuresBytes: number;
}

const SAMPLE_BYTES = 64 * 1024;

export async function identityOf(path: string): Promise<FileIdentity> {
  const file = await open(path);
  try {
    const { size, mtime } = await file.stat();
    const hash = createHash('sha256');
    const sample = Buffer.alloc(SAMPLE_BYTES);
    for (const from of [0, Math.max(0, size - SAMPLE_BYTES)]) {
      const { bytesRead } = await file.read(sample, 0, SAMPLE_BYTES, from);
      hash.update(sample.subarray(0, bytesRead));
    }
    return { size, modified: mtime.toISOString(), hash: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

/** What an earlier import of the same file to the same register left; undefined when there is nothing. */
export function loadProgress(path: string): Progress | { unreadable: string } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : { unreadable: String(error) };
  }
  try {
    const found = JSON.parse(text) as Partial<Progress>;
    const whole =
      typeof found.line === 'number' &&
      typeof found.url === 'string' &&
      typeof found.counts === 'object' &&
      typeof found.file === 'object' &&
      typeof found.failuresBytes === 'number';
    return whole ? (found as Progress) : { unreadable: 'it does not have the form that import writes' };
  } catch (error) {
    return { unreadable: String(error) };
  }
}

export function saveProgress(path: string, progress: Progress): void {
  replaceFile(path, `${JSON.stringify(progress, null, 2)}\n`);
}

export function removeProgress(path: string): void {
  rmSync(path, { force: true });
}
