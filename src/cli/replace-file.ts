import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/**
 * Replaces the file in one step, so that a crash leaves the former or the new one. Throws what the system says.
 *
 * @param mode who may read and write it; by default as the process makes files
 */
export function replaceFile(path: string, text: string, mode?: number): void {
  const next = `${path}.new`;
  const fd = openSync(next, 'w', mode);
  try {
    // one that was left behind keeps its own
    if (mode !== undefined) fchmodSync(fd, mode);
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
}
