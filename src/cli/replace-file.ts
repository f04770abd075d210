import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

/** Replaces the file in one step, so that a crash leaves the former or the new one. Throws what the system says. */
export function replaceFile(path: string, text: string): void {
  const next = `${path}.new`;
  const fd = openSync(next, 'w');
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
}
