import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeFrame, type Frame, LOG_FORMAT, type OrderMark } from './frame.js';
import { LOG_FILE } from './event-log.js';
import type { Run } from './runs.js';
import { addMark, FileSegment, type Segment } from './segment.js';

/** What a former process left. */
export interface LeftLog {
  segments: Segment[];
  /** number of the next group */
  next: number;
  runs: Run[];
  mark: OrderMark;
  /** a file without groups: what its head says is here, and once that is written again it can go */
  spent?: string;
  /** bytes that were cut off the end of the last file: a frame that was not whole */
  tornBytes: number;
}

/**
 * Reads the newest file whole, of others what stands in their names. Undefined: there is nothing that can be used; what
 * was there is removed. Throws when the folder can't be made or read.
 */
export function openLogFolder(folder: string): LeftLog | undefined {
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(folder)
    .filter((name) => LOG_FILE.test(name))
    .sort();
  for (;;) {
    const last = names.pop();
    if (last === undefined) return undefined;
    const path = join(folder, last);
    const left = readLast(path);
    if (left === undefined) {
      rmSync(path);
      continue;
    }
    const { segment, ...known } = left;
    const segments: Segment[] = names.map((name) => existing(join(folder, name)));
    if (segment.newestMs === 0) return { segments, ...known, spent: path };
    return { segments: [...segments, segment], ...known };
  }
}

interface LastFile extends Omit<LeftLog, 'segments' | 'spent'> {
  segment: Segment;
}

/** Undefined: it has no head that this version reads. */
function readLast(path: string): LastFile | undefined {
  const bytes = readFileSync(path);
  const head = frameAt(bytes, 0);
  if (head?.frame.kind !== 'head' || head.frame.format !== LOG_FORMAT) return undefined;
  const { first, runs } = head.frame;
  const last = { next: first, runs: [...runs], mark: head.frame.mark };
  const marks = [{ group: first, at: 0 }];
  let newestMs = 0;
  let at = head.end;
  for (let each = frameAt(bytes, at); each !== undefined; each = frameAt(bytes, at)) {
    const { frame } = each;
    // frames stand in their order; what does not is of no use, and neither is what follows it
    if (frame.kind === 'run') last.runs.push(frame.run);
    else if (frame.kind === 'groups' && frame.first === last.next) {
      last.next += frame.groups.length;
      last.mark = frame.mark;
      newestMs = frame.timeMs;
      addMark(marks, frame.first, at);
    } else break;
    at = each.end;
  }
  const { begunMs } = named(path);
  const segment = FileSegment.existing(first, begunMs, path, {
    bytes: at,
    size: bytes.length,
    newestMs,
    marks,
  });
  return { segment, ...last, tornBytes: bytes.length - at };
}

function frameAt(bytes: Buffer, at: number): { frame: Frame; end: number } | undefined {
  const decoded = decodeFrame(bytes, at);
  return decoded === undefined || 'more' in decoded ? undefined : decoded;
}

function existing(path: string): Segment {
  const { size, mtimeMs } = statSync(path);
  const { first, begunMs } = named(path);
  return FileSegment.existing(first, begunMs, path, { bytes: size, size, newestMs: mtimeMs });
}

function named(path: string): { first: number; begunMs: number } {
  const [, first, begunMs] = LOG_FILE.exec(basename(path))!;
  return { first: Number(first), begunMs: Number(begunMs) };
}
