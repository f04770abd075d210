import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Failure } from './ledger.js';

/** Where lines that failed go, as NDJSON; made at the first one. */
export interface FailuresFile {
  readonly path: string;
  add(failure: Failure): void;
  /** bytes written so far, an earlier part included */
  length(): number;
  /** `gotOn`: lines were done, so that what another import left under this name is not this one's */
  close(gotOn: boolean): void;
}

/** `keepBytes`: what an earlier part of the same import wrote and stands; all else is dropped. */
export function openFailuresFile(path: string, keepBytes: number): FailuresFile {
  let fd: number | undefined;
  let length = keepBytes;
  if (keepBytes > 0) {
    fd = openSync(path, 'r+');
    ftruncateSync(fd, keepBytes);
  }
  return {
    path,
    add(failure) {
      fd ??= openSync(path, 'w');
      length += writeSync(fd, `${JSON.stringify(failure)}\n`, length);
    },
    length: () => length,
    close(gotOn) {
      if (fd !== undefined) closeSync(fd);
      else if (gotOn) rmSync(path, { force: true });
      fd = undefined;
    },
  };
}
