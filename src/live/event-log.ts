import { join } from 'node:path';
import { decodeFrame, encodeFrame, type Frame, LOG_FORMAT, type OrderMark } from './frame.js';
import type { Run } from './runs.js';
import { addMark, FileSegment, MemorySegment, type Segment } from './segment.js';

/** Bounds of what is kept; read whenever they are needed. */
export interface Bounds {
  bytes: number;
  ageMs: number;
}

/** What the head of a new segment says. */
export interface HeadState {
  /** number of the next group */
  next: number;
  mark: OrderMark;
  runs: readonly Run[];
}

/** Where a reader is: behind it are the frames that it has not seen. */
export interface LogPosition {
  segment: Segment;
  at: number;
}

/** What is kept is a ring of this many segments: the oldest goes as a whole. */
const SEGMENTS = 16;
/** Of files that restarts have left, however small. */
const MOST_SEGMENTS = 64;
const SMALLEST_SEGMENT = 64 * 1024;
/** read at a time; more only where one frame has more */
const CHUNK = 128 * 1024;

/**
 * Frames in segments, in files or in memory; the oldest segments go when there are too many bytes, or when they are too
 * old. One append at a time.
 */
export class EventLog {
  #segments: Segment[];
  #active: Segment | undefined;
  #activeSinceMs = 0;
  #sealedBytes = 0;

  /** `folder` absent: in memory. `left`: segments of a former process, oldest first. */
  constructor(
    private readonly folder: string | undefined,
    private readonly bounds: () => Bounds,
    left: readonly Segment[] = [],
  ) {
    this.#segments = [...left];
    for (const { bytes } of left) this.#sealedBytes += bytes;
  }

  get bytes(): number {
    return this.#sealedBytes + (this.#active?.bytes ?? 0);
  }

  /** The number of the oldest group that is kept; undefined: there is none. */
  get oldest(): number | undefined {
    return this.#segments[0]?.first;
  }

  /** From when on all is kept, Unix ms; undefined: nothing is. */
  get sinceMs(): number | undefined {
    return this.#segments[0]?.begunMs;
  }

  /** Where to begin to look for what was appended at a time, or later. Undefined: nothing was. */
  start(sinceMs: number): LogPosition | undefined {
    const segment = this.#segments.find((each) => each === this.#active || each.newestMs >= sinceMs);
    return segment === undefined ? undefined : { segment, at: 0 };
  }

  /** Begins a segment, so that its head is there before anything else. */
  begin(head: HeadState, nowMs: number): Promise<void> {
    return this.#open(head, nowMs);
  }

  /** Appends one frame. Rejects with what the file system says; then the log is of no more use. */
  async append(frame: Frame, head: HeadState, nowMs: number): Promise<void> {
    const bytes = encodeFrame(frame);
    const most = Math.max(SMALLEST_SEGMENT, Math.floor(this.bounds().bytes / SEGMENTS));
    if (this.#active !== undefined && this.#active.newestMs > 0 && this.#active.bytes + bytes.length > most)
      this.#seal();
    if (this.#active === undefined) await this.#open(head, nowMs);
    const active = this.#active!;
    const at = active.bytes;
    await active.append(bytes);
    if (frame.kind === 'groups') {
      active.newestMs = nowMs;
      addMark(active.marks, frame.first, at);
    }
    this.#dropSurplus();
  }

  /** Lets go what is too old. To be called now and then, between appends. */
  async expire(head: HeadState, nowMs: number): Promise<void> {
    const { ageMs } = this.bounds();
    const active = this.#active;
    if (active !== undefined && active.newestMs > 0 && this.#activeSinceMs < nowMs - ageMs / SEGMENTS) {
      this.#seal();
      // so that what is known of former runs outlives their events
      await this.#open(head, nowMs);
    }
    while (this.#segments.length > 1 && this.#segments[0]!.newestMs < nowMs - ageMs) this.#dropOldest();
  }

  /** Where the frame of a group is, or one before it. Undefined: it is not kept. */
  find(group: number): LogPosition | undefined {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      const segment = this.#segments[i]!;
      if (segment.first > group) continue;
      const { at } = segment.marks.findLast((mark) => mark.group <= group)!;
      return { segment, at };
    }
    return undefined;
  }

  /**
   * The frames at a position, some 128 KiB of them and at least one, and the position behind them; those of groups from
   * `before` on are left out. No frames: there are no more. Undefined: the position is not kept any more, or the bytes
   * there are damaged.
   */
  async read(
    { segment, at }: LogPosition,
    before: number,
  ): Promise<{ frames: Frame[]; position: LogPosition } | undefined> {
    for (;;) {
      const index = this.#segments.indexOf(segment);
      if (index < 0) return undefined;
      if (at < segment.bytes) break;
      const following = this.#segments[index + 1];
      if (following === undefined) return { frames: [], position: { segment, at } };
      segment = following;
      at = 0;
    }
    let bytes = await segment.read(at, CHUNK);
    const frames: Frame[] = [];
    let used = 0;
    while (used < bytes.length) {
      const decoded = decodeFrame(bytes, used);
      if (decoded === undefined) return undefined;
      if ('more' in decoded) {
        if (frames.length > 0) break;
        // a frame that says it is longer than the segment is no frame
        if (at + decoded.more > segment.bytes) return undefined;
        bytes = await segment.read(at, decoded.more);
        if (bytes.length < decoded.more) return undefined;
        continue;
      }
      if (decoded.frame.kind === 'groups' && decoded.frame.first >= before) break;
      frames.push(decoded.frame);
      if (decoded.frame.kind === 'groups') addMark(segment.marks, decoded.frame.first, at + used);
      used = decoded.end;
    }
    return { frames, position: { segment, at: at + used } };
  }

  /** Takes no more. */
  close(): void {
    for (const segment of this.#segments) segment.seal();
  }

  /** Lets all go; what is in files is removed. */
  clear(): void {
    for (const segment of this.#segments) segment.drop();
    this.#segments = [];
    this.#active = undefined;
    this.#sealedBytes = 0;
  }

  #seal(): void {
    const active = this.#active!;
    active.seal();
    this.#sealedBytes += active.bytes;
    this.#active = undefined;
  }

  async #open({ next, mark, runs }: HeadState, nowMs: number): Promise<void> {
    const segment =
      this.folder === undefined
        ? new MemorySegment(next, nowMs)
        : FileSegment.create(next, nowMs, join(this.folder, fileName(next, nowMs)));
    this.#active = segment;
    this.#activeSinceMs = nowMs;
    this.#segments.push(segment);
    await segment.append(encodeFrame({ kind: 'head', format: LOG_FORMAT, first: next, mark, runs }));
  }

  #dropSurplus(): void {
    const { bytes } = this.bounds();
    while (this.#segments.length > 1 && (this.bytes > bytes || this.#segments.length > MOST_SEGMENTS))
      this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#segments.shift()!;
    this.#sealedBytes -= oldest.bytes;
    oldest.drop();
  }
}

const DIGITS = 15;

/** In the order of their names they are in the order of their groups. */
function fileName(first: number, nowMs: number): string {
  return `${String(first).padStart(DIGITS, '0')}-${String(nowMs).padStart(DIGITS, '0')}.log`;
}

export const LOG_FILE = /^(\d{15})-(\d{15})\.log$/;
