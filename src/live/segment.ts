import { close, closeSync, ftruncateSync, openSync, read, unlinkSync, write } from 'node:fs';

/** Where the frame that begins with a group stands. */
export interface Mark {
  group: number;
  at: number;
}

/** One mark in so many bytes is enough: from there a reader looks at what it reads anyway. */
const MARK_EVERY = 64 * 1024;

/** Notes where a frame stands, if the last mark is far from it. */
export function addMark(marks: Mark[], group: number, at: number): void {
  if (at >= marks.at(-1)!.at + MARK_EVERY) marks.push({ group, at });
}

/** A piece of the log: frames one after the other. */
export interface Segment {
  /** number of its first group */
  readonly first: number;
  /** when it was begun, Unix ms: what was committed later is in it, or in those behind it */
  readonly begunMs: number;
  /** bytes that can be read */
  readonly bytes: number;
  /** when the newest of its groups was committed, Unix ms; 0: it has none */
  newestMs: number;
  /** ascending; never empty */
  readonly marks: Mark[];
  /** Resolves when the bytes can be read, by this process and, where it is a file, by the next one. */
  append(frame: Buffer): Promise<void>;
  /** Up to `length` bytes from `at`. */
  read(at: number, length: number): Promise<Buffer>;
  /** Takes no more; can be read until it is dropped. */
  seal(): void;
  /** Reads that are under way end as if nothing had happened. */
  drop(): void;
}

/** A segment in memory. */
export class MemorySegment implements Segment {
  newestMs = 0;
  bytes = 0;
  readonly marks: Mark[];
  #buffer = Buffer.alloc(0);

  constructor(
    readonly first: number,
    readonly begunMs: number,
  ) {
    this.marks = [{ group: first, at: 0 }];
  }

  append(frame: Buffer): Promise<void> {
    const end = this.bytes + frame.length;
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#buffer.length * 2, 16 * 1024));
      this.#buffer.copy(larger, 0, 0, this.bytes);
      this.#buffer = larger;
    }
    frame.copy(this.#buffer, this.bytes);
    this.bytes = end;
    return Promise.resolve();
  }

  read(at: number, length: number): Promise<Buffer> {
    return Promise.resolve(this.#buffer.subarray(at, Math.min(this.bytes, at + length)));
  }

  seal(): void {
    // what was reserved for more is given back
    this.#buffer = Buffer.from(this.#buffer.subarray(0, this.bytes));
  }

  drop(): void {
    // readers may hold views of it
  }
}

/** A segment in a file. What is appended is in the system's page cache: it outlives the process, not the power. */
export class FileSegment implements Segment {
  newestMs = 0;
  bytes = 0;
  readonly marks: Mark[];
  #descriptor: number | undefined;
  #users = 0;
  #dropped = false;

  constructor(
    readonly first: number,
    readonly begunMs: number,
    readonly path: string,
    marks?: Mark[],
  ) {
    this.marks = marks ?? [{ group: first, at: 0 }];
  }

  /** Makes the file. Throws what the file system says. */
  static create(first: number, begunMs: number, path: string): FileSegment {
    const segment = new FileSegment(first, begunMs, path);
    segment.#descriptor = openSync(path, 'wx+');
    return segment;
  }

  /** A file of a former process, of which `bytes` are valid: what is behind them is cut off. */
  static existing(
    first: number,
    begunMs: number,
    path: string,
    of: { bytes: number; size: number; newestMs: number; marks?: Mark[] },
  ): FileSegment {
    const segment = new FileSegment(first, begunMs, path, of.marks);
    segment.bytes = of.bytes;
    segment.newestMs = of.newestMs;
    if (of.size > of.bytes) {
      const descriptor = openSync(path, 'r+');
      ftruncateSync(descriptor, of.bytes);
      closeSync(descriptor);
    }
    return segment;
  }

  append(frame: Buffer): Promise<void> {
    const descriptor = this.#descriptor!;
    this.#users++;
    return new Promise<void>((resolve, reject) => {
      const writeRest = (from: number): void =>
        write(descriptor, frame, from, frame.length - from, this.bytes + from, (error, written) => {
          if (error !== null) return reject(error);
          if (from + written < frame.length) return writeRest(from + written);
          this.bytes += frame.length;
          resolve();
        });
      writeRest(0);
    }).finally(() => this.#release());
  }

  async read(at: number, length: number): Promise<Buffer> {
    this.#users++;
    try {
      this.#descriptor ??= openSync(this.path, 'r');
      const descriptor = this.#descriptor;
      const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.bytes - at)));
      return await new Promise<Buffer>((resolve, reject) =>
        read(descriptor, buffer, 0, buffer.length, at, (error, count) =>
          error === null ? resolve(buffer.subarray(0, count)) : reject(error),
        ),
      );
    } finally {
      this.#release();
    }
  }

  seal(): void {
    // a reader opens it again
    if (this.#users === 0) this.#close();
  }

  drop(): void {
    this.#dropped = true;
    try {
      unlinkSync(this.path);
    } catch {
      // it is gone, or the disk is broken, which is told where it is written
    }
    if (this.#users === 0) this.#close();
  }

  #release(): void {
    if (--this.#users === 0 && this.#dropped) this.#close();
  }

  #close(): void {
    if (this.#descriptor === undefined) return;
    close(this.#descriptor, () => undefined);
    this.#descriptor = undefined;
  }
}
